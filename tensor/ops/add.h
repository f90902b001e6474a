// Element-wise sum:   y = a + b, and in place:   a += b   (accumulates the gradients of a shared input)
#pragma once

#include "tensor/tensor.h"

namespace avs::ops {
Tensor add(const Tensor& a, const Tensor& b);
void add_into(Tensor& a, const Tensor& b);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void add(const Tensor& a, const Tensor& b, Tensor& y);  // y may be a
}  // namespace avs::cpu
namespace avs::cuda {
void add(const Tensor& a, const Tensor& b, Tensor& y);  // y may be a
}  // namespace avs::cuda
