// GELU, the exact form:   y = x * Phi(x),   Phi(x) = (1 + erf(x / sqrt(2))) / 2   (Hendrycks and Gimpel 2016)
// Gradient:              dx = dy * (Phi(x) + x * phi(x)),   phi = the normal density
#pragma once

#include "tensor/tensor.h"

namespace avs::ops {
Tensor gelu(const Tensor& x);
Tensor gelu_backward(const Tensor& x, const Tensor& dy);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void gelu(const Tensor& x, Tensor& y);
void gelu_backward(const Tensor& x, const Tensor& dy, Tensor& dx);
}  // namespace avs::cpu
namespace avs::cuda {
void gelu(const Tensor& x, Tensor& y);
void gelu_backward(const Tensor& x, const Tensor& dy, Tensor& dx);
}  // namespace avs::cuda
