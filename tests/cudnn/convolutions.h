// Every convolution that the networks ask for, as graphs of cuDNN: found by running a training step and an inference
// with convolutions that note what they were asked instead of computing it (convolutions.cpp stands in for
// tensor/cpu/conv2d.cpp).
#pragma once

#include <string>
#include <vector>

#include "cuda/cudnn_plans.h"

namespace avs {

// Of one backbone at full width, one sample, f32; each graph once, in the order of its first appearance.
std::vector<cuda::cudnn::ConvGraph> convolutions_of(const std::string& model);

}  // namespace avs
