#include "models/convnext_tiny.h"

#include "models/blocks.h"

namespace avs {
namespace {

constexpr int64_t kWidths[] = {96, 192, 384, 768};
constexpr int kDepths[] = {3, 3, 9, 3};
constexpr float kEpsilon = 1e-6f, kLayerScale = 1e-6f;
const Init kWeights = Init::truncated_normal(0.02f);
// ImageNet's mean and standard deviation of pixels 0..255: red, green, blue.
constexpr float kMean[] = {123.675f, 116.28f, 103.53f}, kDeviation[] = {58.395f, 57.12f, 57.375f};

}  // namespace

ConvNextBlock::ConvNextBlock(int64_t channels)
    : depthwise_(child<DepthwiseConv2d>("depthwise", channels, 7, kWeights)),
      norm_(child<LayerNorm>("norm", channels, kEpsilon)),
      expand_(child<Linear>("expand", channels, 4 * channels, kWeights)),
      project_(child<Linear>("project", 4 * channels, channels, kWeights)),
      layer_scale_(param("layer_scale", {channels}, Init::constant(kLayerScale), Decay::No)) {}

Variable ConvNextBlock::forward(const Variable& x) {
  const Variable pixels = depthwise_layer_norm(x, depthwise_.weight(), depthwise_.bias(), norm_.gain(), norm_.bias(),
                                               depthwise_.padding(), norm_.epsilon());
  const Variable y = mlp(pixels, expand_.weight(), expand_.bias(), project_.weight(), project_.bias());
  return scale_residual(y, layer_scale_.variable, x);
}

class ConvNextTiny::Stem final : public Layer {
 public:
  explicit Stem(int64_t channels)
      : conv_(child<Conv2d>("conv", Filter{3, channels, 4, 4}, Conv2dSpec{.stride_h = 4, .stride_w = 4}, Bias::Zero,
                            kWeights)),
        norm_(child<LayerNorm>("norm", channels, kEpsilon)) {}

 private:
  Variable forward(const Variable& x) override { return norm_(conv_(x)); }
  Conv2d& conv_;
  LayerNorm& norm_;
};

class ConvNextTiny::Downsample final : public Layer {
 public:
  Downsample(int64_t in, int64_t out)
      : norm_(child<LayerNorm>("norm", in, kEpsilon)),
        conv_(child<Conv2d>("conv", Filter{in, out, 2, 2}, Conv2dSpec{.stride_h = 2, .stride_w = 2}, Bias::Zero,
                            kWeights)) {}

 private:
  Variable forward(const Variable& x) override { return conv_(norm_(x)); }
  LayerNorm& norm_;
  Conv2d& conv_;
};

ConvNextTiny::ConvNextTiny(BackboneOptions options) : Backbone(options, Modality::Frames) {
  std::vector<float> scale, shift;
  for (int c = 0; c < 3; ++c) {
    scale.push_back(1.0f / kDeviation[c]);
    shift.push_back(-kMean[c] / kDeviation[c]);
  }
  preprocess_pixels(scale, shift);
  int64_t channels = 0;
  for (int s = 0; s < 4; ++s) {
    const int64_t width = scaled_width(kWidths[s], options.width, 8);
    if (s == 0) stem_ = &child<Stem>("stem", width);
    downsamples_.push_back(s == 0 ? nullptr : &child<Downsample>(str("down", s), channels, width));
    Sequence& stage = child<Sequence>(str("stage", s));
    for (int b = 0; b < kDepths[s]; ++b) stage.then<ConvNextBlock>(width);
    stages_.push_back(&stage);
    channels = width;
  }
  norm_ = &child<LayerNorm>("norm", channels, kEpsilon);
  features_ = channels;
  add_head();
}

std::vector<std::string> ConvNextTiny::stages() const {
  std::vector<std::string> names = {"stem"};
  for (const Layer* stage : stages_) names.push_back(stage->path());
  return names;
}

void ConvNextTiny::check_input(const Shape& x) const {
  const Nhwc in = as_nhwc(x);
  AVS_CHECK(ShapeError, in.h >= 32 && in.w >= 32 && in.c == 3,
            "ConvNeXt-Tiny takes frames [n, h, w, 3] with h and w at least 32, got ", x);
}

Variable ConvNextTiny::body(const Variable& x) {
  Variable y = (*stem_)(x);
  passed("stem", y);
  for (size_t s = 0; s < stages_.size(); ++s) {
    if (downsamples_[s] != nullptr) y = (*downsamples_[s])(y);
    y = run_stage(*stages_[s], y);
    passed(stages_[s]->path(), y);
  }
  return (*norm_)(global_avg_pool(y));
}

}  // namespace avs
