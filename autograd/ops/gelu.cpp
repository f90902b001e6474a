#include "tensor/ops/gelu.h"

#include "autograd/functions.h"

namespace avs {

Variable gelu(const Variable& x) {
  return record("gelu", {x}, ops::gelu(x.value()), [saved = x.value()](const Tensor& dy, const Needs&) {
    return std::vector<Tensor>{ops::gelu_backward(saved, dy)};
  });
}

}  // namespace avs
