#include "tensor/ops/reduce.h"

#include "tensor/check.h"

namespace avs::ops {

Tensor sum_rows(const Tensor& x) {
  const RowsShape shape = check_rows("sum_rows", "x", x);
  Tensor y = Tensor::empty({shape.c}, DType::F32, x.device());
  x.device().is_cuda() ? cuda::sum_rows(x, y) : cpu::sum_rows(x, y);
  return y;
}

Tensor sum_squares(const Tensor& x) {
  check_f32("sum_squares", "x", x);
  Tensor y = Tensor::empty({1}, x.dtype(), x.device());
  x.device().is_cuda() ? cuda::sum_squares(x, y) : cpu::sum_squares(x, y);
  return y;
}

Tensor find_non_finite(const Tensor& x) {
  check_activation("find_non_finite", "x", x);
  Tensor first = Tensor::empty({2}, DType::I32, x.device());
  x.device().is_cuda() ? cuda::find_non_finite(x, first) : cpu::find_non_finite(x, first);
  return first;
}

int64_t first_non_finite(const Tensor& x) {
  const Tensor words = find_non_finite(x).to(kCpu);
  return index_of(words.data<int32_t>());
}

}  // namespace avs::ops
