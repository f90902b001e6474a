// Depthwise convolution: one filter per channel, stride 1, "same" padding. Formula: tensor/ops/depthwise_conv2d.h.
#pragma once

#include "autograd/functions.h"
#include "layers/module.h"

namespace avs {

class DepthwiseConv2d final : public Layer {
 public:
  DepthwiseConv2d(int64_t channels, int64_t extent, Init init)  // extent x extent
      : padding_(Padding::same(extent, extent)),
        weight_(param("weight", {extent, extent, channels}, init)),
        bias_(param("bias", {channels}, Init::constant(0.0f), Decay::No)) {}

  const Padding& padding() const { return padding_; }
  const Variable& weight() const { return weight_.variable; }  // [r, s, channels]
  const Variable& bias() const { return bias_.variable; }

 private:
  Variable forward(const Variable& x) override { return depthwise_conv2d(x, weight(), bias(), padding_); }

  Padding padding_;
  Parameter& weight_;
  Parameter& bias_;
};

}  // namespace avs
