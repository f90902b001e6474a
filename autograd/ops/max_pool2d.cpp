#include "tensor/ops/max_pool2d.h"

#include "autograd/functions.h"

namespace avs {

Variable max_pool2d(const Variable& x, Pool2dSpec spec) {
  return record("max_pool2d", {x}, ops::max_pool2d(x.value(), spec),
                [saved = x.value(), spec](const Tensor& dy, const Needs&) {
                  return std::vector<Tensor>{ops::max_pool2d_backward(saved, dy, spec)};
                });
}

}  // namespace avs
