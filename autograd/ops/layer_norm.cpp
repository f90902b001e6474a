#include "tensor/ops/layer_norm.h"

#include "autograd/functions.h"

namespace avs {

Variable layer_norm(const Variable& x, const Variable& gain, const Variable& bias, float epsilon) {
  const LayerNormResult r = ops::layer_norm(x.value(), gain.value(), bias.value(), epsilon);
  struct Saved {
    Tensor x, gain, mean, inverse_std;
  };
  return record("layer_norm", {x, gain, bias}, r.y,
                [s = Saved{x.value(), gain.value(), r.mean, r.inverse_std}](const Tensor& dy, const Needs&) {
                  const LayerNormGradients g = ops::layer_norm_backward(s.x, s.gain, s.mean, s.inverse_std, dy);
                  return std::vector<Tensor>{g.dx, g.dgain, g.dbias};
                });
}

}  // namespace avs
