// The filter gradient of a convolution by our own loops:
//   dw[k,r,s,c] = sum over n,p,q of  dy[n,p,q,k] * x[n, p*stride_h + r - top, q*stride_w + s - left, c]
// Libraries split this sum over the pixels among threads and taps; on AVX2 oneDNN 3.2 reaches 15..60 of 100 GFLOP/s a
// core.
//
// Here a block of about 200 output pixels is copied out first: the gradients as [k group][pixel][k in group], the
// inputs of one group of channels as [row][column][c in group] with the padding written as zeros. Then each tap and
// each group of output channels is one product of two such panels whose result stays in registers over all pixels of
// the block. Panels are contiguous, so no stride of the image, a power of two perhaps, can make cache lines collide.
#pragma once

#include "tensor/ops/conv2d.h"

namespace avs::cpu {

// One group of filters, a multiple of 8 output and of 16 input channels.
bool has_own_filter_gradient(const Shape& w, const Conv2dSpec& spec);

// Threads share the input channels (and filter rows), never a sum: the result does not depend on their number.
void own_filter_gradient(const Tensor& x, const Tensor& dy, const Conv2dSpec& spec, Tensor& dw);

}  // namespace avs::cpu
