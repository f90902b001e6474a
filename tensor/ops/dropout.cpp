#include "tensor/ops/dropout.h"

#include "tensor/check.h"

namespace avs::ops {

Tensor dropout(const Tensor& x, float rate, const Tensor& state, uint32_t stream) {
  check_activation("dropout", "x", x);
  AVS_CHECK(UsageError, rate >= 0.0f && rate < 1.0f, "dropout: the rate must lie in [0, 1), got ", rate);
  AVS_CHECK(ShapeError, state.defined() && state.dtype() == DType::I32 && state.shape() == Shape({4}),
            "dropout: state must be i32 [4] (seed and step, low words first), got ",
            state.defined() ? str(state.dtype(), " ", state.shape()) : "an undefined tensor");
  check_same_device("dropout", {{"x", x}, {"state", state}});
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::dropout(x, rate, state, stream, y) : cpu::dropout(x, rate, state, stream, y);
  return y;
}

}  // namespace avs::ops
