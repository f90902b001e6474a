// The 1000 ImageNet class names, in the usual order (sorted by WordNet number): index 0 is "tench". All names differ.
#pragma once

#include <string>
#include <vector>

namespace avs {

const std::vector<std::string>& imagenet_names();

}  // namespace avs
