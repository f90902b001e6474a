// Sums, always in the same order whatever the thread count:
//   sum_rows:      [..., c] -> [c] in f32, the sum over all rows (bias gradients)
//   sum_squares:   [...] -> [1], accumulated in double (L2 penalty, gradient norm)
//   find_non_finite:  the index of the first NaN or infinity as i32 [2] = low word, high word; -1, -1 if all are finite
//   first_non_finite: the same on the host (waits for the device)
#pragma once

#include "tensor/tensor.h"

namespace avs::ops {
Tensor sum_rows(const Tensor& x);
Tensor sum_squares(const Tensor& x);
Tensor find_non_finite(const Tensor& x);
int64_t first_non_finite(const Tensor& x);
// The index in the two words of find_non_finite().
inline int64_t index_of(const int32_t* words) {
  return static_cast<int64_t>(static_cast<uint32_t>(words[0])) | static_cast<int64_t>(words[1]) << 32;
}
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void sum_rows(const Tensor& x, Tensor& y);
void sum_squares(const Tensor& x, Tensor& y);
void find_non_finite(const Tensor& x, Tensor& first);
}  // namespace avs::cpu
namespace avs::cuda {
void sum_rows(const Tensor& x, Tensor& y);
void sum_squares(const Tensor& x, Tensor& y);
void find_non_finite(const Tensor& x, Tensor& first);
}  // namespace avs::cuda
