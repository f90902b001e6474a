// The mean over all pixels:   y[n,c] = mean over h,w of x[n,h,w,c],   dx[n,h,w,c] = dy[n,c] / (h*w)
#pragma once

#include "tensor/tensor.h"

namespace avs::ops {
Tensor global_avg_pool(const Tensor& x);
Tensor global_avg_pool_backward(const Shape& x, const Tensor& dy);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void global_avg_pool(const Tensor& x, Tensor& y);
void global_avg_pool_backward(const Tensor& dy, Tensor& dx);
}  // namespace avs::cpu
namespace avs::cuda {
void global_avg_pool(const Tensor& x, Tensor& y);
void global_avg_pool_backward(const Tensor& dy, Tensor& dx);
}  // namespace avs::cuda
