// A fixed affine map per channel, from pixels or floats to f32:   y = x * scale[c] + shift[c]
// Preprocessing of frames (x / 127.5 - 1; ImageNet mean and deviation). x is u8 or f32. dx = dy * scale[c] (f32).
#pragma once

#include "tensor/tensor.h"

namespace avs::ops {
Tensor affine_channels(const Tensor& x, const Tensor& scale, const Tensor& shift);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void affine_channels(const Tensor& x, const Tensor& scale, const Tensor& shift, Tensor& y);
}  // namespace avs::cpu
namespace avs::cuda {
void affine_channels(const Tensor& x, const Tensor& scale, const Tensor& shift, Tensor& y);
}  // namespace avs::cuda
