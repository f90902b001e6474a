#include "tensor/ops/cast.h"

#include "autograd/functions.h"

namespace avs {

Variable cast(const Variable& x, DType dtype) {
  if (x.value().dtype() == dtype) return x;
  return record("cast", {x}, ops::cast(x.value(), dtype), [from = x.value().dtype()](const Tensor& dy, const Needs&) {
    return std::vector<Tensor>{ops::cast(dy, from)};
  });
}

}  // namespace avs
