// Sums, always in the same order whatever the thread count:
//   sum_rows:      [..., c] -> [c] in f32, the sum over all rows (bias gradients)
//   sum_squares:   [...] -> [1], accumulated in double (L2 penalty, gradient norm)
//   first_non_finite: the index of the first NaN or infinity, -1 if all is well (on the host; waits for the device)
#pragma once

#include "tensor/tensor.h"

namespace avs::ops {
Tensor sum_rows(const Tensor& x);
Tensor sum_squares(const Tensor& x);
int64_t first_non_finite(const Tensor& x);
}  // namespace avs::ops

// What each backend provides. Outputs arrive allocated and checked.
namespace avs::cpu {
void sum_rows(const Tensor& x, Tensor& y);
void sum_squares(const Tensor& x, Tensor& y);
int64_t first_non_finite(const Tensor& x);
}  // namespace avs::cpu
namespace avs::cuda {
void sum_rows(const Tensor& x, Tensor& y);
void sum_squares(const Tensor& x, Tensor& y);
int64_t first_non_finite(const Tensor& x);
}  // namespace avs::cuda
