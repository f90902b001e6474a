// Inverted dropout (Srivastava et al. 2014):   y = x * keep / (1 - rate),   keep = 0 with probability `rate`, else 1
// The mask is a pure function of (state, stream, element index): backward computes it again instead of storing it, and
// every device and thread count draws the same mask. `state` is on the device, so that a captured step can be replayed:
// i32 [4] = seed low, seed high, step low, step high. Element i is kept if word i % 4 of philox(seed, step * 2^32 +
// stream, i / 4), as a float in [0, 1), is at least `rate`.
#pragma once

#include "tensor/tensor.h"

namespace avs::ops {
Tensor dropout(const Tensor& x, float rate, const Tensor& state, uint32_t stream);  // backward is dropout() of dy
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void dropout(const Tensor& x, float rate, const Tensor& state, uint32_t stream, Tensor& y);
}  // namespace avs::cpu
namespace avs::cuda {
void dropout(const Tensor& x, float rate, const Tensor& state, uint32_t stream, Tensor& y);
}  // namespace avs::cuda
