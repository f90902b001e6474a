// The branches of a block: what run(branch) asks of a device goes to a lane of its own (tensor/lanes.h), and is later
// run backwards there, so that a GPU may work on all of them at once. While functions are timed (profile.h) everything
// is one after the other.
#pragma once

#include <cstddef>
#include <functional>

#include "tensor/device.h"

namespace avs {

void side_by_side(Device device, size_t count, const std::function<void(size_t branch)>& run);

}  // namespace avs
