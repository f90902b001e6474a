// Collects every convolution of the networks as cuDNN graphs: runs a training step and an inference with convolutions
// that record their arguments instead of computing (convolutions.cpp replaces tensor/cpu/conv2d.cpp).
#pragma once

#include <string>
#include <vector>

#include "cuda/cudnn_plans.h"

namespace avs {

// For one backbone at full width, one sample, f32; each graph once, in order of first use.
std::vector<cuda::cudnn::ConvGraph> convolutions_of(const std::string& model);

}  // namespace avs
