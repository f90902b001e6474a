// Softmax over the last axis:   y = exp(x - max x) / sum exp(x - max x)
// The loss of training is softmax_kl.h, which has a gradient.
#pragma once

#include "tensor/tensor.h"

namespace avs::ops {
Tensor softmax(const Tensor& x);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void softmax(const Tensor& x, Tensor& y);
}  // namespace avs::cpu
namespace avs::cuda {
void softmax(const Tensor& x, Tensor& y);
}  // namespace avs::cuda
