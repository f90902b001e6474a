// The branches of a block: each is recorded, and later run backwards, on a lane of its own (tensor/lanes.h), so that a GPU
// may work on all of them at once. Outputs come in the order of the branches. While functions are timed (profile.h)
// everything is one after the other.
#pragma once

#include <functional>
#include <vector>

#include "autograd/variable.h"

namespace avs {

std::vector<Variable> side_by_side(Device device, size_t count, const std::function<Variable(size_t branch)>& run);

}  // namespace avs
