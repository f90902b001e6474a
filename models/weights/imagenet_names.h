// The 1000 classes of ImageNet's classification task, in the order of every published classifier (sorted by WordNet
// number): index 0 is "tench". All names differ.
#pragma once

#include <string>
#include <vector>

namespace avs {

const std::vector<std::string>& imagenet_names();

}  // namespace avs
