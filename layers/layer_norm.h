// Layer normalisation over the channels of each pixel (tensor/ops/layer_norm.h).
#pragma once

#include "autograd/functions.h"
#include "layers/module.h"

namespace avs {

class LayerNorm final : public Layer {
 public:
  LayerNorm(int64_t channels, float epsilon)
      : epsilon_(epsilon),
        gain_(param("gain", {channels}, Init::constant(1.0f), Decay::No)),
        bias_(param("bias", {channels}, Init::constant(0.0f), Decay::No)) {}

  float epsilon() const { return epsilon_; }
  const Variable& gain() const { return gain_.variable; }
  const Variable& bias() const { return bias_.variable; }

 private:
  Variable forward(const Variable& x) override { return layer_norm(x, gain(), bias(), epsilon_); }

  float epsilon_;
  Parameter& gain_;
  Parameter& bias_;
};

}  // namespace avs
