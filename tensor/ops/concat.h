// Tensors side by side along the last axis, and the inverse:
//   y = [x_0; x_1; ...],   slice = y[..., first : first + count]
#pragma once

#include "tensor/tensor.h"

namespace avs::ops {
Tensor concat(const std::vector<Tensor>& parts);
Tensor slice_channels(const Tensor& x, int64_t first, int64_t count);
// y[..., first : first + c] = x [..., c]; the rest of y is unchanged. This writes one part of a concat.
void write_channels(const Tensor& x, int64_t first, Tensor& y);
// The shape of concat(parts); ShapeError if they do not fit side by side.
Shape concat_shape(const std::vector<Tensor>& parts);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void concat(const std::vector<Tensor>& parts, Tensor& y);
void slice_channels(const Tensor& x, int64_t first, Tensor& y);
void write_channels(const Tensor& x, int64_t first, Tensor& y);
}  // namespace avs::cpu
namespace avs::cuda {
void concat(const std::vector<Tensor>& parts, Tensor& y);
void slice_channels(const Tensor& x, int64_t first, Tensor& y);
void write_channels(const Tensor& x, int64_t first, Tensor& y);
}  // namespace avs::cuda
