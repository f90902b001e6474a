#include "tensor/ops/relu.h"

#include "tensor/check.h"

namespace avs::ops {

Tensor relu(const Tensor& x) {
  check_activation("relu", "x", x);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::relu(x, y) : cpu::relu(x, y);
  return y;
}

Tensor relu_backward(const Tensor& y, const Tensor& dy) {
  check_alike("relu_backward", "y", y, "dy", dy);
  check_activation("relu_backward", "y", y);
  Tensor dx = Tensor::empty(y.shape(), y.dtype(), y.device());
  y.device().is_cuda() ? cuda::relu_backward(y, dy, dx) : cpu::relu_backward(y, dy, dx);
  return dx;
}

}  // namespace avs::ops
