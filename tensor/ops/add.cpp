#include "tensor/ops/add.h"

#include "tensor/check.h"

namespace avs::ops {

Tensor add(const Tensor& a, const Tensor& b) {
  check_alike("add", "a", a, "b", b);
  Tensor y = Tensor::empty(a.shape(), a.dtype(), a.device());
  a.device().is_cuda() ? cuda::add(a, b, y) : cpu::add(a, b, y);
  return y;
}

void add_into(Tensor& a, const Tensor& b) {
  check_alike("add_into", "a", a, "b", b);
  a.device().is_cuda() ? cuda::add(a, b, a) : cpu::add(a, b, a);
}

}  // namespace avs::ops
