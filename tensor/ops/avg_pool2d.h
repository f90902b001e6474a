// Average pooling, NHWC:   y[n,p,q,c] = (sum over the window of x) / count
// count is the window's size (Counted: the mean includes padding as zeros, as torchvision's Inception does) or the
// number of its positions inside x (Ignored: Keras' "same").
#pragma once

#include "tensor/ops/max_pool2d.h"
#include "tensor/tensor.h"

namespace avs {

enum class PoolPadding : uint8_t { Ignored, Counted };

}  // namespace avs

namespace avs::ops {
Tensor avg_pool2d(const Tensor& x, Pool2dSpec spec, PoolPadding counting);
Tensor avg_pool2d_backward(const Shape& x, const Tensor& dy, Pool2dSpec spec, PoolPadding counting);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void avg_pool2d(const Tensor& x, Pool2dSpec spec, PoolPadding counting, Tensor& y);
void avg_pool2d_backward(const Tensor& dy, Pool2dSpec spec, PoolPadding counting, Tensor& dx);
}  // namespace avs::cpu
namespace avs::cuda {
void avg_pool2d(const Tensor& x, Pool2dSpec spec, PoolPadding counting, Tensor& y);
void avg_pool2d_backward(const Tensor& dy, Pool2dSpec spec, PoolPadding counting, Tensor& dx);
}  // namespace avs::cuda
