#include "tensor/ops/relu.h"

#include "autograd/functions.h"

namespace avs {

Variable relu(const Variable& x) {
  const Tensor y = ops::relu(x.value());
  return record("relu", {x}, y,
                [y](const Tensor& dy, const Needs&) { return std::vector<Tensor>{ops::relu_backward(y, dy)}; });
}

}  // namespace avs
