#include "tensor/ops/global_avg_pool.h"

#include "autograd/functions.h"

namespace avs {

Variable global_avg_pool(const Variable& x) {
  return record("global_avg_pool", {x}, ops::global_avg_pool(x.value()),
                [shape = x.shape()](const Tensor& dy, const Needs&) {
                  return std::vector<Tensor>{ops::global_avg_pool_backward(shape, dy)};
                });
}

}  // namespace avs
