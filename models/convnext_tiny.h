// ConvNeXt-Tiny (Liu et al. 2022, "A ConvNet for the 2020s"), as in Keras: 27,820,128 parameters without the head.
//
//   frames 0..255 ─ ImageNet mean and deviation ─ stem: 4x4/4 conv, LayerNorm ─ 3 blocks of 96
//     ─ LayerNorm, 2x2/2 conv ─ 3 blocks of 192 ─ LayerNorm, 2x2/2 conv ─ 9 of 384 ─ LayerNorm, 2x2/2 conv ─ 3 of 768
//     ─ global pool ─ LayerNorm
//
// A block, in NHWC; its two 1x1 convolutions are matrix products, hence Linear:
//
//   x ──┬─ 7x7 depthwise ─ LayerNorm ─ Linear x4 ─ GELU ─ Linear ─ layer scale ──(+)── y
//       └──────────────────────────────────────────────────────────────────────┘
//     Fused ops: `depthwise` + `norm`; `expand` + GELU + `project` (mlp); layer scale + sum.
//
// Our names → Keras (after "convnext_tiny_") → torchvision (after `features.`):
//   stem.conv, stem.norm           stem_stem_conv, stem_stem_layernorm                0.0, 0.1
//   down{i}.norm, down{i}.conv     downsampling_block_{i-1}_downsampling_layernorm_…  {2i}.0, {2i}.1        i = 1..3
//   stage{s}.{b}.depthwise         stage_{s}_block_{b}_depthwise_conv                 {2s+1}.{b}.block.0    s = 0..3
//   stage{s}.{b}.norm              …_layernorm                                        …block.2
//   stage{s}.{b}.expand, .project  …_pointwise_conv_1, …_pointwise_conv_2             …block.3, …block.5
//   stage{s}.{b}.layer_scale       …_layer_scale                                      ….layer_scale [c, 1, 1]
//   norm                           layer_normalization                                classifier.0
#pragma once

#include "layers/conv2d.h"
#include "layers/depthwise_conv2d.h"
#include "layers/layer_norm.h"
#include "layers/linear.h"
#include "layers/sequence.h"
#include "models/backbone.h"

namespace avs {

class ConvNextBlock final : public Layer {
 public:
  explicit ConvNextBlock(int64_t channels);

 private:
  Variable forward(const Variable& x) override;

  DepthwiseConv2d& depthwise_;
  LayerNorm& norm_;
  Linear& expand_;
  Linear& project_;
  Parameter& layer_scale_;
};

class ConvNextTiny final : public Backbone {
 public:
  explicit ConvNextTiny(BackboneOptions options);
  int64_t features() const override { return features_; }
  std::vector<std::string> stages() const override;

 private:
  class Stem;
  class Downsample;
  void check_input(const Shape& x) const override;
  Variable body(const Variable& x) override;

  Layer* stem_ = nullptr;
  std::vector<Layer*> downsamples_;  // [0] is null: the stem precedes the first stage
  std::vector<Layer*> stages_;
  LayerNorm* norm_ = nullptr;
  int64_t features_ = 0;
};

}  // namespace avs
