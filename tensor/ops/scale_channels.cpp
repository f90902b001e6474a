#include "tensor/ops/scale_channels.h"

#include "tensor/check.h"

namespace avs::ops {

Tensor scale_channels(const Tensor& x, const Tensor& gain) {
  check_rows("scale_channels", "x", x);
  check_per_channel("scale_channels", x, "gain", gain);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::scale_channels(x, gain, y) : cpu::scale_channels(x, gain, y);
  return y;
}

Tensor scale_residual(const Tensor& x, const Tensor& gain, const Tensor& residual) {
  check_rows("scale_residual", "x", x);
  check_per_channel("scale_residual", x, "gain", gain);
  check_alike("scale_residual", "x", x, "residual", residual);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::scale_residual(x, gain, residual, y) : cpu::scale_residual(x, gain, residual, y);
  return y;
}

ScaleChannelsGradients scale_channels_backward(const Tensor& x, const Tensor& gain, const Tensor& dy) {
  const RowsShape shape = check_rows("scale_channels_backward", "x", x);
  check_per_channel("scale_channels_backward", x, "gain", gain);
  check_alike("scale_channels_backward", "x", x, "dy", dy);
  ScaleChannelsGradients gradients{Tensor::empty(x.shape(), x.dtype(), x.device()),
                                   Tensor::empty({shape.c}, DType::F32, x.device())};
  x.device().is_cuda() ? cuda::scale_channels_backward(x, gain, dy, gradients)
                       : cpu::scale_channels_backward(x, gain, dy, gradients);
  return gradients;
}

}  // namespace avs::ops
