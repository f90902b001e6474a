// Rectified linear unit:   y = max(x, 0),   dx = dy where y > 0, else 0
#pragma once

#include "tensor/tensor.h"

namespace avs::ops {
Tensor relu(const Tensor& x);
Tensor relu_backward(const Tensor& y, const Tensor& dy);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void relu(const Tensor& x, Tensor& y);
void relu_backward(const Tensor& y, const Tensor& dy, Tensor& dx);
}  // namespace avs::cpu
namespace avs::cuda {
void relu(const Tensor& x, Tensor& y);
void relu_backward(const Tensor& y, const Tensor& dy, Tensor& dx);
}  // namespace avs::cuda
