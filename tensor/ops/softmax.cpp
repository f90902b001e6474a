#include "tensor/ops/softmax.h"

#include "tensor/check.h"

namespace avs::ops {

Tensor softmax(const Tensor& x) {
  check_rows("softmax", "x", x);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::softmax(x, y) : cpu::softmax(x, y);
  return y;
}

Tensor log_softmax(const Tensor& x) {
  check_rows("log_softmax", "x", x);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::log_softmax(x, y) : cpu::log_softmax(x, y);
  return y;
}

Tensor log_softmax_backward(const Tensor& y, const Tensor& dy) {
  check_rows("log_softmax_backward", "y", y);
  check_alike("log_softmax_backward", "y", y, "dy", dy);
  Tensor dx = Tensor::empty(y.shape(), y.dtype(), y.device());
  y.device().is_cuda() ? cuda::log_softmax_backward(y, dy, dx) : cpu::log_softmax_backward(y, dy, dx);
  return dx;
}

}  // namespace avs::ops
