// Depthwise convolution: every channel has its own filter. NHWC activations, filters [r, s, c], stride 1:
//   y[n,p,q,c] = sum over r,s of  x[n, p + r - top, q + s - left, c] * w[r,s,c]  + bias[c]
// It is a separate op because memory bounds it, not arithmetic, and because libraries compute its filter gradient
// slowly. The bias gradient is sum_rows(dy) (reduce.h).
#pragma once

#include "tensor/ops/conv2d.h"
#include "tensor/tensor.h"

namespace avs::ops {
Shape depthwise_conv2d_shape(const Shape& x, const Shape& w, Padding padding);
// bias may be undefined.
Tensor depthwise_conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Padding padding);
Tensor depthwise_conv2d_backward_input(const Shape& x, const Tensor& w, const Tensor& dy, Padding padding);
Tensor depthwise_conv2d_backward_filter(const Tensor& x, const Shape& w, const Tensor& dy, Padding padding);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void depthwise_conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Padding padding, Tensor& y);
void depthwise_conv2d_backward_input(const Tensor& w, const Tensor& dy, Padding padding, Tensor& dx);
void depthwise_conv2d_backward_filter(const Tensor& x, const Tensor& dy, Padding padding, Tensor& dw);
}  // namespace avs::cpu
namespace avs::cuda {
void depthwise_conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Padding padding, Tensor& y);
void depthwise_conv2d_backward_input(const Tensor& w, const Tensor& dy, Padding padding, Tensor& dx);
void depthwise_conv2d_backward_filter(const Tensor& x, const Tensor& dy, Padding padding, Tensor& dw);
}  // namespace avs::cuda
