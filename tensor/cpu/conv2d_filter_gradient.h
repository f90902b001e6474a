// The filter gradient of a convolution by our own loops:
//   dw[k,r,s,c] = sum over n,p,q of  dy[n,p,q,k] * x[n, p*stride_h + r - top, q*stride_w + s - left, c]
// oneDNN 3.2 splits this sum over the pixels among threads and taps; on AVX2 it reaches 15 to 60 of 100 GFLOP/s a core.
//
// These loops first copy a block of about 200 output pixels: the gradients as [k group][pixel][k in group], the inputs
// of one group of channels as [row][column][c in group] with zeros for padding. For each tap and each group of output
// channels, one product of the two panels then accumulates in registers over all pixels of the block. The panels are
// contiguous, so cache lines do not collide even when an image's stride is a power of two.
#pragma once

#include "tensor/ops/conv2d.h"

namespace avs::cpu {

// True for a multiple of 8 output and of 16 input channels.
bool has_own_filter_gradient(const Shape& w);

// Threads share the input channels (and filter rows) but never a sum, so the result does not depend on the thread
// count.
void own_filter_gradient(const Tensor& x, const Tensor& dy, const Conv2dSpec& spec, Tensor& dw);

}  // namespace avs::cpu
