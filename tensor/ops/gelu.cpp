#include "tensor/ops/gelu.h"

#include "tensor/check.h"

namespace avs::ops {

Tensor gelu(const Tensor& x) {
  check_activation("gelu", "x", x);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::gelu(x, y) : cpu::gelu(x, y);
  return y;
}

Tensor gelu_backward(const Tensor& x, const Tensor& dy) {
  check_activation("gelu_backward", "x", x);
  check_alike("gelu_backward", "x", x, "dy", dy);
  Tensor dx = Tensor::empty(x.shape(), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::gelu_backward(x, dy, dx) : cpu::gelu_backward(x, dy, dx);
  return dx;
}

}  // namespace avs::ops
