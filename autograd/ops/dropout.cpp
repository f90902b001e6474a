#include "tensor/ops/dropout.h"

#include "autograd/functions.h"

namespace avs {

Variable dropout(const Variable& x, float rate, const Tensor& state, uint32_t stream) {
  // Backward draws the mask again from `state`, so set() may change its step only between training steps.
  return record("dropout", {x}, ops::dropout(x.value(), rate, state, stream),
                [rate, state, stream](const Tensor& dy, const Needs&) {
                  return std::vector<Tensor>{ops::dropout(dy, rate, state, stream)};
                });
}

}  // namespace avs
