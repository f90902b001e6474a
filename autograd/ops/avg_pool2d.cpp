#include "tensor/ops/avg_pool2d.h"

#include "autograd/functions.h"

namespace avs {

Variable avg_pool2d(const Variable& x, Pool2dSpec spec, PoolPadding counting) {
  return record("avg_pool2d", {x}, ops::avg_pool2d(x.value(), spec, counting),
                [shape = x.shape(), spec, counting](const Tensor& dy, const Needs&) {
                  return std::vector<Tensor>{ops::avg_pool2d_backward(shape, dy, spec, counting)};
                });
}

}  // namespace avs
