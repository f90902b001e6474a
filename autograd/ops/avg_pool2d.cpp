#include "tensor/ops/avg_pool2d.h"

#include "autograd/functions.h"
#include "tensor/ops/concat.h"

namespace avs {

Variable avg_pool2d(const Variable& x, Pool2dSpec spec, PoolPadding counting) {
  return record("avg_pool2d", {x}, ops::avg_pool2d(x.value(), spec, counting),
                [shape = x.shape(), spec, counting](const Tensor& dy, const Needs&) {
                  return std::vector<Tensor>{ops::avg_pool2d_backward(shape, dy, spec, counting)};
                });
}

Variable avg_pool_channels(const Variable& x, int64_t first, int64_t count, Pool2dSpec spec, PoolPadding counting) {
  Tensor y = x.value();
  ops::write_channels(ops::avg_pool2d(ops::slice_channels(y, first, count), spec, counting), first, y);
  return record("avg_pool_channels", {x}, y, [first, count, spec, counting](const Tensor& dy, const Needs&) {
    const Shape pooled = dy.shape().with(-1, count);
    Tensor dx = dy.is_unique() ? dy : dy.clone();
    ops::write_channels(ops::avg_pool2d_backward(pooled, ops::slice_channels(dy, first, count), spec, counting), first,
                        dx);
    return std::vector<Tensor>{dx};
  });
}

}  // namespace avs
