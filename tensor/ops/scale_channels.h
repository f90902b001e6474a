// A learned gain per channel, without or with a residual in the same pass (ConvNeXt's layer scale):
//   scale_channels:   y = gain * x          scale_residual:   y = residual + gain * x
//   dx = gain * dy,   dgain = sum over rows of dy * x,   dresidual = dy
#pragma once

#include "tensor/tensor.h"

namespace avs {

struct ScaleChannelsGradients {
  Tensor dx, dgain;
};

}  // namespace avs

namespace avs::ops {
Tensor scale_channels(const Tensor& x, const Tensor& gain);
Tensor scale_residual(const Tensor& x, const Tensor& gain, const Tensor& residual);
ScaleChannelsGradients scale_channels_backward(const Tensor& x, const Tensor& gain, const Tensor& dy);  // for both
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void scale_channels(const Tensor& x, const Tensor& gain, Tensor& y);
void scale_residual(const Tensor& x, const Tensor& gain, const Tensor& residual, Tensor& y);
void scale_channels_backward(const Tensor& x, const Tensor& gain, const Tensor& dy, ScaleChannelsGradients& gradients);
}  // namespace avs::cpu
namespace avs::cuda {
void scale_channels(const Tensor& x, const Tensor& gain, Tensor& y);
void scale_residual(const Tensor& x, const Tensor& gain, const Tensor& residual, Tensor& y);
void scale_channels_backward(const Tensor& x, const Tensor& gain, const Tensor& dy, ScaleChannelsGradients& gradients);
}  // namespace avs::cuda
