// The same values in another element type; f32 to bf16 and f16 round to nearest even.
#pragma once

#include "tensor/tensor.h"

namespace avs::ops {
Tensor cast(const Tensor& x, DType dtype);  // returns x itself if it has this type
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void cast(const Tensor& x, Tensor& y);
}  // namespace avs::cpu
namespace avs::cuda {
void cast(const Tensor& x, Tensor& y);
}  // namespace avs::cuda
