// Batch normalisation over the channels, with the residual sum and ReLU behind it in the same pass
// (tensor/ops/batch_norm.h).
//
// In training mode the batch's own statistics are used and the running ones move; in inference mode, and when frozen,
// the running statistics are used and stand still.
#pragma once

#include "autograd/functions.h"
#include "layers/module.h"

namespace avs {

enum class Gamma : uint8_t { Learned, One };  // One: Keras' scale=False, as in InceptionV3

class BatchNorm final : public Layer {
 public:
  explicit BatchNorm(int64_t channels, BatchNormSpec spec = {}, Gamma gamma = Gamma::Learned);

  using Layer::operator();
  Variable operator()(const Variable& x, const Variable& residual);  // activation(normalised x + residual)

  const BatchNormSpec& spec() const { return spec_; }
  Variable gamma() const { return gamma_ == nullptr ? Variable() : gamma_->variable; }
  const Variable& beta() const { return beta_.variable; }

  // What inference does to a channel, y = scale * x + shift: what is folded into the convolution before.
  struct Affine {
    std::vector<float> scale, shift;
  };
  Affine inference_affine() const;

 private:
  Variable forward(const Variable& x) override { return normalise(x, Variable()); }
  Variable normalise(const Variable& x, const Variable& residual);

  BatchNormSpec spec_;
  Parameter* gamma_;
  Parameter& beta_;
  Buffer& running_mean_;
  Buffer& running_variance_;
};

}  // namespace avs
