#include "tensor/ops/depthwise_layer_norm.h"

#include "autograd/functions.h"

namespace avs {

Variable depthwise_layer_norm(const Variable& x, const Variable& w, const Variable& conv_bias, const Variable& gain,
                              const Variable& bias, Padding padding, float epsilon) {
  struct Saved {
    Tensor x, w, gain, x_hat, inverse_std;
  };
  const DepthwiseLayerNormResult result =
      ops::depthwise_layer_norm(x.value(), w.value(), conv_bias.value(), gain.value(), bias.value(), padding, epsilon);
  const Saved saved{x.value(), w.value(), gain.value(), result.x_hat, result.inverse_std};

  return record("depthwise_layer_norm", {x, w, conv_bias, gain, bias}, result.y,
                [saved, padding](const Tensor& dy, const Needs&) {
                  DepthwiseLayerNormGradients g = ops::depthwise_layer_norm_backward(
                      saved.x, saved.w, saved.gain, saved.x_hat, saved.inverse_std, dy, padding);
                  return std::vector<Tensor>{g.dx, g.dw, g.dconv_bias, g.dgain, g.dbias};
                });
}

}  // namespace avs
