#include "tensor/ops/avg_pool2d.h"

#include "tensor/check.h"

namespace avs::ops {

Tensor avg_pool2d(const Tensor& x, Pool2dSpec spec, PoolPadding counting) {
  check_activation("avg_pool2d", "x", x);
  Tensor y = Tensor::empty(pool2d_shape(x.shape(), spec), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::avg_pool2d(x, spec, counting, y) : cpu::avg_pool2d(x, spec, counting, y);
  return y;
}

Tensor avg_pool2d_backward(const Shape& x, const Tensor& dy, Pool2dSpec spec, PoolPadding counting) {
  const Shape y = pool2d_shape(x, spec);
  AVS_CHECK(ShapeError, dy.shape() == y, "avg_pool2d_backward: input ", x, " gives an output ", y, " but dy is ",
            dy.shape());
  check_activation("avg_pool2d_backward", "dy", dy);
  Tensor dx = Tensor::empty(x, dy.dtype(), dy.device());
  dy.device().is_cuda() ? cuda::avg_pool2d_backward(dy, spec, counting, dx)
                        : cpu::avg_pool2d_backward(dy, spec, counting, dx);
  return dx;
}

}  // namespace avs::ops
