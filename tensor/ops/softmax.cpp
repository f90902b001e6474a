#include "tensor/ops/softmax.h"

#include "tensor/check.h"

namespace avs::ops {

Tensor softmax(const Tensor& x) {
  check_rows("softmax", "x", x);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::softmax(x, y) : cpu::softmax(x, y);
  return y;
}

}  // namespace avs::ops
