#include "tensor/ops/affine_channels.h"

#include "tensor/check.h"

namespace avs::ops {

Tensor affine_channels(const Tensor& x, const Tensor& scale, const Tensor& shift) {
  AVS_CHECK(
      ShapeError,
      x.defined() && (x.dtype() == DType::F32 || x.dtype() == DType::U8) && x.shape().rank() >= 1 && x.shape()[-1] >= 1,
      "affine_channels: x must be f32 or u8 with at least one axis and one channel, got ",
      x.defined() ? str(x.dtype(), " ", x.shape()) : "an undefined tensor");
  check_per_channel("affine_channels", x, "scale", scale);
  check_per_channel("affine_channels", x, "shift", shift);
  Tensor y = Tensor::empty(x.shape(), DType::F32, x.device());
  x.device().is_cuda() ? cuda::affine_channels(x, scale, shift, y) : cpu::affine_channels(x, scale, shift, y);
  return y;
}

}  // namespace avs::ops
