// The same values in another element type; f32 to bf16 and f16 round to nearest even.
#pragma once

#include "tensor/tensor.h"

namespace avs::ops {
Tensor cast(const Tensor& x, DType dtype);  // *this handle when it already is
}  // namespace avs::ops

// What each backend provides. Outputs arrive allocated and checked.
namespace avs::cpu {
void cast(const Tensor& x, Tensor& y);
}  // namespace avs::cpu
namespace avs::cuda {
void cast(const Tensor& x, Tensor& y);
}  // namespace avs::cuda
