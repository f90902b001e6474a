#include "tensor/ops/global_avg_pool.h"

#include "tensor/check.h"

namespace avs::ops {

Tensor global_avg_pool(const Tensor& x) {
  const Nhwc in = as_nhwc(x.shape());
  AVS_CHECK(ShapeError, in.h >= 1 && in.w >= 1, "global_avg_pool: input ", x.shape(), " has no pixels");
  check_activation("global_avg_pool", "x", x);
  Tensor y = Tensor::empty({in.n, in.c}, x.dtype(), x.device());
  x.device().is_cuda() ? cuda::global_avg_pool(x, y) : cpu::global_avg_pool(x, y);
  return y;
}

Tensor global_avg_pool_backward(const Shape& x, const Tensor& dy) {
  const Nhwc in = as_nhwc(x);
  AVS_CHECK(ShapeError, (dy.shape() == Shape{in.n, in.c}), "global_avg_pool_backward: input ", x, " gives an output [",
            in.n, ", ", in.c, "] but dy is ", dy.shape());
  check_activation("global_avg_pool_backward", "dy", dy);
  Tensor dx = Tensor::empty(x, dy.dtype(), dy.device());
  dy.device().is_cuda() ? cuda::global_avg_pool_backward(dy, dx) : cpu::global_avg_pool_backward(dy, dx);
  return dx;
}

}  // namespace avs::ops
