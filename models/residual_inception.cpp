#include "models/residual_inception.h"

#include "models/blocks.h"

namespace avs {
namespace {

constexpr int64_t kStageWidths[] = {64, 128, 256, 512, 1024};
constexpr float kFirstDropout = 0.1f, kLastDropout = 0.2f;
constexpr int64_t kInputChannels = 6;  // two channels, their deltas and delta-deltas

BatchNormSpec norm_spec(const BackboneOptions& options, Activation activation = Activation::None) {
  return {.epsilon = 1e-3f, .new_value_weight = options.batch_norm_new_value_weight, .activation = activation};
}

BatchNormSpec with(BatchNormSpec spec, Activation activation) {
  spec.activation = activation;
  return spec;
}

}  // namespace

// ---- inception(C) and its BatchNorm ----

InceptionBn::InceptionBn(int64_t in, int64_t out, BatchNormSpec norm)
    : branches_([&] {
        std::vector<Conv2d*> branches;
        for (const auto& [name, r, s] :
             {std::tuple{"branch1x1", 1, 1}, {"branch3x3", 3, 3}, {"branch1x4", 1, 4}, {"branch4x1", 4, 1}})
          branches.push_back(
              &child<Conv2d>(name, Filter{in, out / 4, r, s}, Conv2dSpec{.padding = Padding::same(r, s)}));
        return branches;
      }()),
      norm_(child<BatchNorm>("bn", out, norm)) {}

std::vector<Variable> InceptionBn::convolve(const Variable& x) {
  std::vector<Variable> outputs;
  for (Conv2d* branch : branches_) outputs.push_back((*branch)(x));
  return outputs;
}

Variable InceptionBn::convolve_folded(const Variable& x) {
  if (folded_.empty()) {
    const BatchNorm::Affine affine = norm_.inference_affine();
    int64_t first = 0;
    for (Conv2d* branch : branches_) {
      folded_.push_back(fold(branch->weight().value(), affine, first));
      first += branch->weight().shape()[0];
    }
  }
  std::vector<Variable> outputs;
  for (size_t i = 0; i < branches_.size(); ++i)
    outputs.push_back(record("conv2d, batch_norm folded in", {},
                             ops::conv2d(x.value(), folded_[i], branches_[i]->spec(), norm_.spec().activation),
                             nullptr));
  return concat(outputs);
}

Variable InceptionBn::forward(const Variable& x) {
  if (training() || recording({x, norm_.beta()})) return norm_(convolve(x), Variable());
  return convolve_folded(x);
}

// Not folded at inference: the residual has to be added anyway, and batch_norm does it and the ReLU in the pass
// that normalises.
Variable InceptionBn::operator()(const Variable& x, const Variable& residual) {
  return as_layer(x.shape(), [&] { return norm_(convolve(x), residual); });
}

// ---- a stage ----

ResidualStage::ResidualStage(int64_t in, int64_t out, float dropout, BatchNormSpec norm, RandomState& random)
    : inception1_(child<InceptionBn>("inception1", in, out, with(norm, Activation::Relu))),
      inception2_(child<InceptionBn>("inception2", out, out, with(norm, Activation::Relu))),
      shortcut_(child<ConvBn>("shortcut", Filter{in, out}, Conv2dSpec{}, with(norm, Activation::None))),
      dropout_(child<Dropout>("dropout", dropout, random)) {}

Variable ResidualStage::forward(const Variable& x) {
  const Variable y = inception2_(inception1_(x), shortcut_(x));  // the ReLU behind the sum is inside
  return dropout_(avg_pool2d(y, Pool2dSpec{}, PoolPadding::Ignored));
}

// ---- the network ----

ResidualInception::ResidualInception(BackboneOptions options)
    : Backbone(options, modality_of(options.model)),
      input_norm_(child<BatchNorm>("input_bn", kInputChannels, norm_spec(options))) {
  int64_t channels = kInputChannels;
  const int count = static_cast<int>(std::size(kStageWidths));
  for (int i = 0; i < count; ++i) {
    const int64_t width = scaled_width(kStageWidths[i], options.width, 4);
    const float dropout =
        kFirstDropout + (kLastDropout - kFirstDropout) * static_cast<float>(i) / static_cast<float>(count - 1);
    stages_.push_back(
        &child<ResidualStage>(str("stage", i + 1), channels, width, dropout, norm_spec(options), random()));
    channels = width;
  }
  features_ = channels;
  add_head();
}

std::vector<std::string> ResidualInception::stages() const {
  std::vector<std::string> names;
  for (const ResidualStage* stage : stages_) names.push_back(stage->path());
  return names;
}

void ResidualInception::check_input(const Shape& x) const {
  const Nhwc in = as_nhwc(x);
  AVS_CHECK(ShapeError, in.h >= 32 && in.w >= 32 && in.c == kInputChannels, "residual-inception takes [n, h, w, ",
            kInputChannels, "] with h and w at least 32, got ", x);
}

Variable ResidualInception::body(const Variable& x) {
  Variable y = as_computed(input_norm_(x));
  for (ResidualStage* stage : stages_) {
    y = run_stage(*stage, y);
    passed(stage->path(), y);
  }
  return global_avg_pool(y);
}

}  // namespace avs
