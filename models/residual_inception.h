// The sound network (docs/paper.md#sound-branch: a reconstruction): five residual stages of inception convolutions.
//
//   input [n, 128, 704, 6] ─ BatchNorm ─ stage(64) ─ stage(128) ─ stage(256) ─ stage(512) ─ stage(1024) ─ global pool
//
//   stage(C):  x ─┬─ inception(C) ─ BN ─ ReLU ─ inception(C) ─ BN ──(+)─ ReLU ─ avgpool 2x2 ─ dropout
//                 └─ 1x1 conv(C) ─ BN ───────────────────────────────┘
//   inception(C): concat of 1x1, 3x3, 1x4, 4x1 convolutions, C/4 channels each, Keras' "same" padding
//
// 11,188,950 parameters with the head of ten classes at width 1, of which 10,129,100 stand before it. Dropout grows
// from 0.1 after the first stage to 0.2 after the last. Any height and width from 32 on.
#pragma once

#include "layers/batch_norm.h"
#include "layers/conv_bn.h"
#include "models/backbone.h"

namespace avs {

// inception(C), then BatchNorm. At inference without a residual, the BatchNorm is folded into the four filters.
class InceptionBn final : public Layer {
 public:
  InceptionBn(int64_t in, int64_t out, BatchNormSpec norm);

  using Layer::operator();
  Variable operator()(const Variable& x, const Variable& residual);  // relu(BN(inception(x)) + residual)

 private:
  Variable forward(const Variable& x) override;
  std::vector<Variable> convolve(const Variable& x);
  Variable convolve_folded(const Variable& x);
  void mode_changed() override { folded_.clear(); }

  std::vector<Conv2d*> branches_;
  BatchNorm& norm_;
  std::vector<FixedFilter> folded_;
};

class ResidualStage final : public Layer {
 public:
  ResidualStage(int64_t in, int64_t out, float dropout, BatchNormSpec norm, RandomState& random);

 private:
  Variable forward(const Variable& x) override;

  InceptionBn& inception1_;
  InceptionBn& inception2_;
  ConvBn& shortcut_;
  Dropout& dropout_;
};

class ResidualInception final : public Backbone {
 public:
  explicit ResidualInception(BackboneOptions options);
  int64_t features() const override { return features_; }
  std::vector<std::string> stages() const override;

 private:
  void check_input(const Shape& x) const override;
  Variable body(const Variable& x) override;

  BatchNorm& input_norm_;
  std::vector<ResidualStage*> stages_;
  int64_t features_ = 0;
};

}  // namespace avs
