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
  // Several layers of one spec and mode as one, over all their channels: normalises x, side by side, to the slices of y.
  // They keep their own parameters; their running moments become views of `running`, which the caller keeps for the next
  // call.
  static std::vector<Variable> side_by_side(const std::vector<BatchNorm*>& layers, RunningMoments& running,
                                            const std::vector<Variable>& x, const std::vector<ChannelSlice>& y);

  const BatchNormSpec& spec() const { return spec_; }
  Variable gamma() const { return gamma_ == nullptr ? Variable() : gamma_->variable; }
  const Variable& beta() const { return beta_.variable; }

  // Inference computes y = scale * x + shift in each channel: the convolution before can do that.
  struct Affine {
    std::vector<float> scale, shift;
  };
  Affine inference_affine() const;

 private:
  Variable forward(const Variable& x) override;
  BatchNormSpec spec_now() const;

  BatchNormSpec spec_;
  Parameter* gamma_;
  Parameter& beta_;
  Buffer& running_mean_;
  Buffer& running_variance_;
};

}  // namespace avs
