// Element-wise sum:   y = a + b, and in place:   a += b   (how gradients of a shared input accumulate)
#pragma once

#include "tensor/tensor.h"

namespace avs::ops {
Tensor add(const Tensor& a, const Tensor& b);
void add_into(Tensor& a, const Tensor& b);
}  // namespace avs::ops

// What each backend provides. Outputs arrive allocated and checked.
namespace avs::cpu {
void add(const Tensor& a, const Tensor& b, Tensor& y);  // y may be a
}  // namespace avs::cpu
namespace avs::cuda {
void add(const Tensor& a, const Tensor& b, Tensor& y);  // y may be a
}  // namespace avs::cuda
