#include "tensor/ops/cast.h"

#include "tensor/check.h"

namespace avs::ops {

Tensor cast(const Tensor& x, DType dtype) {
  AVS_CHECK(ShapeError, x.defined(), "cast: x is undefined");
  if (x.dtype() == dtype) return x;
  // Labels and pixels can become floats; no op rounds floats back to integers.
  AVS_CHECK(ShapeError, dtype != DType::I32 && dtype != DType::U8, "cast: ", x.dtype(), " to ", dtype,
            " would lose values; f32, f16 and bf16 can be cast to");
  Tensor y = Tensor::empty(x.shape(), dtype, x.device());
  x.device().is_cuda() ? cuda::cast(x, y) : cpu::cast(x, y);
  return y;
}

}  // namespace avs::ops
