// Our own convolution kernels behind three functions, for builds without cuDNN and for graphs without a cuDNN engine.
// The kernel for each convolution:
//
//   few channels in or out  conv2d_narrow.cu: a thread computes 8 or 16 channels of four pixels
//   all others              implicit GEMM, on conv2d_tile.cuh in f32 and conv2d_wmma.cuh in 16 bits, in
//                           conv2d_forward.cu, conv2d_backward_input.cu and conv2d_backward_filter.cu
#pragma once

#include "tensor/ops/conv2d.h"

namespace avs::cuda::own {

// Kernels count the extents of an image, a filter and channels in 32 bits, everything else in 64.
constexpr int64_t kMaxConvExtent = int64_t{1} << 30;
inline bool serves(const Shape& x, const Shape& w, const Shape& y) {
  for (const Shape& shape : {x, w, y})
    for (int axis = 1; axis < 4; ++axis)
      if (shape[axis] >= kMaxConvExtent) return false;
  return w[0] < kMaxConvExtent;
}

void conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec, Activation activation, Tensor& y);
void conv2d_backward_input(const Tensor& w, const Tensor& dy, Conv2dSpec spec, Tensor& dx);
void conv2d_backward_filter(const Tensor& x, const Tensor& dy, Conv2dSpec spec, Tensor& dw);

}  // namespace avs::cuda::own
