#include "autograd/functions.h"

namespace avs {

Variable reshape(const Variable& x, Shape shape) {
  return record("reshape", {x}, x.value().reshape(shape), [before = x.shape()](const Tensor& dy, const Needs&) {
    return std::vector<Tensor>{dy.reshape(before)};
  });
}

}  // namespace avs
