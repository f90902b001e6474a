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
  // activation(normalised concat(x) + residual), without concat's copy; residual may be undefined
  Variable operator()(const std::vector<Variable>& x, const Variable& residual);

  // Outputs side by side that are not normalised yet: each is, to where it belongs, instead of by its layer and then
  // copied. norm null: nothing is left to do to x.
  struct Part {
    Variable x;
    BatchNorm* norm;
  };
  static Variable concat(const std::vector<Part>& parts);

  const BatchNormSpec& spec() const { return spec_; }
  Variable gamma() const { return gamma_ == nullptr ? Variable() : gamma_->variable; }
  const Variable& beta() const { return beta_.variable; }

  // What inference does to a channel, y = scale * x + shift: what is folded into the convolution before.
  struct Affine {
    std::vector<float> scale, shift;
  };
  Affine inference_affine() const;

 private:
  Variable forward(const Variable& x) override { return normalise({x}, Variable()); }
  Variable normalise(const std::vector<Variable>& x, const Variable& residual);
  Moments moments() const { return training() && !frozen() ? Moments::OfBatch : Moments::Running; }
  RunningMoments running() const { return {running_mean_.value, running_variance_.value}; }
  BatchNormSpec spec_now() const;

  BatchNormSpec spec_;
  Parameter* gamma_;
  Parameter& beta_;
  Buffer& running_mean_;
  Buffer& running_variance_;
};

}  // namespace avs
