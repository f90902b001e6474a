#include "tensor/ops/softmax.h"

#include "autograd/functions.h"

namespace avs {

Variable log_softmax(const Variable& x) {
  const Tensor y = ops::log_softmax(x.value());
  return record("log_softmax", {x}, y,
                [y](const Tensor& dy, const Needs&) { return std::vector<Tensor>{ops::log_softmax_backward(y, dy)}; });
}

}  // namespace avs
