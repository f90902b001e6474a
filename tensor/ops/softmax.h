// Softmax over the last axis:   p = exp(x - max x) / sum exp(x - max x),   and log_softmax = x - max x - log(sum)
//   log_softmax backward:   dx = dy - exp(y) * sum(dy)
#pragma once

#include "tensor/tensor.h"

namespace avs::ops {
Tensor softmax(const Tensor& x);
Tensor log_softmax(const Tensor& x);
Tensor log_softmax_backward(const Tensor& y, const Tensor& dy);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void softmax(const Tensor& x, Tensor& y);
void log_softmax(const Tensor& x, Tensor& y);
void log_softmax_backward(const Tensor& y, const Tensor& dy, Tensor& dx);
}  // namespace avs::cpu
namespace avs::cuda {
void softmax(const Tensor& x, Tensor& y);
void log_softmax(const Tensor& x, Tensor& y);
void log_softmax_backward(const Tensor& y, const Tensor& dy, Tensor& dx);
}  // namespace avs::cuda
