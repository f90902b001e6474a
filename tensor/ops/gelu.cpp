#include "tensor/ops/gelu.h"

namespace avs::ops {

Tensor gelu(const Tensor& x) {
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::gelu(x, y) : cpu::gelu(x, y);
  return y;
}

Tensor gelu_backward(const Tensor& x, const Tensor& dy) {
  AVS_CHECK(ShapeError, x.shape() == dy.shape(), "gelu_backward: x is ", x.shape(), " but dy is ", dy.shape());
  Tensor dx = Tensor::empty(x.shape(), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::gelu_backward(x, dy, dx) : cpu::gelu_backward(x, dy, dx);
  return dx;
}

}  // namespace avs::ops
