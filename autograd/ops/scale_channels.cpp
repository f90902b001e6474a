#include "tensor/ops/scale_channels.h"

#include "autograd/functions.h"

namespace avs {

Variable scale_channels(const Variable& x, const Variable& gain) {
  return record("scale_channels", {x, gain}, ops::scale_channels(x.value(), gain.value()),
                [x_value = x.value(), gain_value = gain.value()](const Tensor& dy, const Needs&) {
                  const ScaleChannelsGradients g = ops::scale_channels_backward(x_value, gain_value, dy);
                  return std::vector<Tensor>{g.dx, g.dgain};
                });
}

Variable scale_residual(const Variable& x, const Variable& gain, const Variable& residual) {
  return record("scale_residual", {x, gain, residual}, ops::scale_residual(x.value(), gain.value(), residual.value()),
                [x_value = x.value(), gain_value = gain.value()](const Tensor& dy, const Needs&) {
                  const ScaleChannelsGradients g = ops::scale_channels_backward(x_value, gain_value, dy);
                  return std::vector<Tensor>{g.dx, g.dgain, dy};
                });
}

}  // namespace avs
