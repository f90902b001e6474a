// Max pooling, NHWC:   y[n,p,q,c] = max over the window of x[n, p*stride_h + r - top, q*stride_w + s - left, c]
// Padding is never the max. Backward adds dy to the window's first max (row-major), recomputed from x.
#pragma once

#include "tensor/ops/conv2d.h"
#include "tensor/tensor.h"

namespace avs {

struct Pool2dSpec {
  int64_t window_h = 2, window_w = 2;
  int64_t stride_h = 2, stride_w = 2;
  Padding padding = {};
};

}  // namespace avs

namespace avs::ops {
Shape pool2d_shape(const Shape& x, Pool2dSpec spec);  // a window that reaches past the padded end has no output
Tensor max_pool2d(const Tensor& x, Pool2dSpec spec);
Tensor max_pool2d_backward(const Tensor& x, const Tensor& dy, Pool2dSpec spec);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void max_pool2d(const Tensor& x, Pool2dSpec spec, Tensor& y);
void max_pool2d_backward(const Tensor& x, const Tensor& dy, Pool2dSpec spec, Tensor& dx);
}  // namespace avs::cpu
namespace avs::cuda {
void max_pool2d(const Tensor& x, Pool2dSpec spec, Tensor& y);
void max_pool2d_backward(const Tensor& x, const Tensor& dy, Pool2dSpec spec, Tensor& dx);
}  // namespace avs::cuda
