#include "models/inception_v3.h"

#include "layers/conv_bn.h"
#include "layers/pooling.h"
#include "layers/sequence.h"
#include "models/blocks.h"

namespace avs {
namespace {

constexpr Pool2dSpec kMaxPool{.window_h = 3, .window_w = 3, .stride_h = 2, .stride_w = 2};
constexpr Pool2dSpec kAveragePool{3, 3, 1, 1, {1, 1, 1, 1}};

// Settings that all convolutions of one network share.
struct Style {
  double width;
  BatchNormSpec norm;
  Gamma gamma;
  PoolPadding pool_padding;

  int64_t channels(int64_t at_full_width) const { return scaled_width(at_full_width, width, 8); }
};

enum class Fit : uint8_t { Same, Valid };

// One convolution of a branch: k filters of r x s.
struct Step {
  int64_t k, r, s;
  int64_t stride = 1;
  Fit fit = Fit::Same;
};

// A branch of a block: layers "0", "1", … one after the other, and where the branch splits at its end, the two halves
// "1x3" and "3x1" side by side. Called with the channels that come in; out_channels() go out.
class Branch final : public Layer {
 public:
  Branch(int64_t in, int64_t offset, const Style& style, const std::vector<Step>& steps)
      : offset_(offset), begins_with_1x1_(steps[0].r * steps[0].s == 1), channels_(in) {
    for (const Step& step : steps) steps_.push_back(&add(str(steps_.size()), style, step));
  }

  Branch& split(const Style& style, int64_t k) {
    const int64_t in = channels_;
    halves_[0] = &add("1x3", style, {k, 1, 3});
    channels_ = in;
    halves_[1] = &add("3x1", style, {k, 3, 1});
    channels_ = 2 * style.channels(k);
    return *this;
  }
  // Before the first convolution: the blocks' average pool.
  Branch& after(Layer& pool) {
    pool_ = &pool;
    return *this;
  }
  int64_t out_channels() const { return channels_; }
  int64_t offset() const { return offset_; }  // its first channel in the block's output

  ConvBn& first() { return *steps_[0]; }
  bool begins_with_1x1() const { return begins_with_1x1_; }
  bool is_one_step() const { return steps_.size() == 1 && halves_[0] == nullptr; }
  bool averages() const { return pool_ != nullptr; }

  struct End {
    Variable x;  // the last convolution's output, not yet normalised
    BatchNorm* norm;
  };
  // From step `from` on, without the BatchNorm at the end; two ends where the branch splits.
  std::vector<End> finish(Variable y, size_t from) {
    return as_layer(y.shape(), [&] {
      const size_t whole = halves_[0] == nullptr ? steps_.size() - 1 : steps_.size();
      for (size_t i = from; i < whole; ++i) y = (*steps_[i])(y);
      std::vector<End> ends;
      for (ConvBn* last : halves_[0] == nullptr ? std::vector{steps_.back()} : std::vector{halves_[0], halves_[1]})
        ends.push_back({last->convolve(y), &last->norm()});
      return ends;
    });
  }

 private:
  ConvBn& add(const std::string& name, const Style& style, Step step) {
    const int64_t out = style.channels(step.k);
    const Conv2dSpec spec{.stride_h = step.stride,
                          .stride_w = step.stride,
                          .padding = step.fit == Fit::Same ? Padding::same(step.r, step.s) : Padding{}};
    ConvBn& conv = child<ConvBn>(name, Filter{channels_, out, step.r, step.s}, spec, style.norm, style.gamma);
    channels_ = out;
    return conv;
  }

  Variable forward(const Variable& x) override {
    Variable y = pool_ == nullptr ? x : (*pool_)(x);
    for (ConvBn* step : steps_) y = (*step)(y);
    return halves_[0] == nullptr ? y : concat({(*halves_[0])(y), (*halves_[1])(y)});
  }

  int64_t offset_;
  bool begins_with_1x1_;
  std::vector<ConvBn*> steps_;
  ConvBn* halves_[2] = {nullptr, nullptr};
  Layer* pool_ = nullptr;
  int64_t channels_;
};

// Branches side by side, concatenated in order of construction.
//
// Their 1x1 convolutions read the same x, so they are one convolution with all their filters, one BatchNorm over all
// their channels, and one gradient of x. The average pool commutes with the 1x1 convolution behind it and is computed
// after it, of fewer channels. Every BatchNorm writes its channels to where they are read next. At inference, where
// BatchNorm is folded into each filter, the branches run one by one.
class Mixed final : public Layer {
 public:
  Mixed(int64_t in, const Style& style) : in_(in), style_(style) {}

  Branch& branch(const std::string& name, const std::vector<Step>& steps) {
    Branch& added = child<Branch>("branch" + name, in_, out_channels(), style_, steps);
    branches_.push_back(&added);
    return added;
  }
  void average_branch(int64_t k) {
    AvgPool2d& pool = child<AvgPool2d>("pool", kAveragePool, style_.pool_padding);
    branch("_pool", {{k, 1, 1}}).after(pool);
  }
  void max_branch() { max_pool_ = &child<MaxPool2d>("pool", kMaxPool); }  // behind all others

  int64_t out_channels() const {
    int64_t sum = max_pool_ == nullptr ? 0 : in_;
    for (const Branch* branch : branches_) sum += branch->out_channels();
    return sum;
  }

 private:
  Variable forward(const Variable& x) override {
    const Variable pooled = max_pool_ == nullptr ? Variable() : (*max_pool_)(x);
    if (branches_[0]->first().folds(x)) {
      std::vector<Variable> all;
      for (Branch* branch : branches_) all.push_back((*branch)(x));
      if (max_pool_ != nullptr) all.push_back(pooled);
      return concat(all);
    }
    const Tensor& like = max_pool_ == nullptr ? x.value() : pooled.value();
    const Tensor y = Tensor::empty(like.shape().with(-1, out_channels()), like.dtype(), like.device());
    std::vector<Variable> slices = run_branches(x, y);
    if (max_pool_ != nullptr) slices.push_back(write_channels(pooled, {y, out_channels() - in_, in_}));
    return join(slices);
  }

  // The branches' slices of y.
  std::vector<Variable> run_branches(const Variable& x, const Tensor& y) {
    const std::vector<Variable> begun = run_1x1(x, y);
    std::vector<Variable> slices, ends;
    std::vector<BatchNorm*> norms;
    std::vector<ChannelSlice> places;
    for (size_t i = 0, next = 0; i < branches_.size(); ++i) {
      Branch& branch = *branches_[i];
      const bool has_begun = branch.begins_with_1x1();
      const Variable& from = has_begun ? begun[next++] : x;
      if (has_begun && branch.is_one_step()) {
        slices.push_back(from);
        continue;
      }
      int64_t channel = branch.offset();
      for (const auto& [end, norm] : branch.finish(from, has_begun ? 1 : 0)) {
        ends.push_back(end);
        norms.push_back(norm);
        places.emplace_back(y, channel, end.shape()[-1]);
        channel += end.shape()[-1];
      }
    }
    const std::vector<Variable> written = BatchNorm::side_by_side(norms, running_at_ends_, ends, places);
    slices.insert(slices.end(), written.begin(), written.end());
    return slices;
  }

  // The first step of each branch that begins with a 1x1 convolution.
  std::vector<Variable> run_1x1(const Variable& x, const Tensor& y) {
    std::vector<Variable> filters;
    std::vector<BatchNorm*> norms;
    std::vector<ChannelSlice> places;
    int64_t before_pool = 0, channels = 0;
    for (Branch* branch : branches_) {
      if (!branch->begins_with_1x1()) continue;
      const Variable& filter = branch->first().filter();
      const int64_t c = filter.shape()[0];
      filters.push_back(filter);
      norms.push_back(&branch->first().norm());
      places.push_back(branch->is_one_step() ? ChannelSlice(y, branch->offset(), c)
                                             : Tensor::empty(x.shape().with(-1, c), y.dtype(), y.device()));
      before_pool = channels;
      channels += c;
    }
    Variable all = conv2d(x, stack(filters), {}, {});
    if (branches_.back()->averages())
      all = avg_pool_channels(all, before_pool, channels - before_pool, kAveragePool, style_.pool_padding);
    return BatchNorm::side_by_side(norms, running_at_1x1_, {all}, places);
  }

  int64_t in_;
  Style style_;
  std::vector<Branch*> branches_;
  MaxPool2d* max_pool_ = nullptr;
  RunningMoments running_at_1x1_, running_at_ends_;
};

// ---- the four kinds of blocks ----

void block_35(Mixed& m, int64_t pool) {  // mixed0..2
  m.branch("1x1", {{64, 1, 1}});
  m.branch("5x5", {{48, 1, 1}, {64, 5, 5}});
  m.branch("3x3dbl", {{64, 1, 1}, {96, 3, 3}, {96, 3, 3}});
  m.average_branch(pool);
}

void reduce_to_17(Mixed& m) {  // mixed3
  m.branch("3x3", {{384, 3, 3, 2, Fit::Valid}});
  m.branch("3x3dbl", {{64, 1, 1}, {96, 3, 3}, {96, 3, 3, 2, Fit::Valid}});
  m.max_branch();
}

void block_17(Mixed& m, int64_t k) {  // mixed4..7
  m.branch("1x1", {{192, 1, 1}});
  m.branch("7x7", {{k, 1, 1}, {k, 1, 7}, {192, 7, 1}});
  m.branch("7x7dbl", {{k, 1, 1}, {k, 7, 1}, {k, 1, 7}, {k, 7, 1}, {192, 1, 7}});
  m.average_branch(192);
}

void reduce_to_8(Mixed& m) {  // mixed8
  m.branch("3x3", {{192, 1, 1}, {320, 3, 3, 2, Fit::Valid}});
  m.branch("7x7x3", {{192, 1, 1}, {192, 1, 7}, {192, 7, 1}, {192, 3, 3, 2, Fit::Valid}});
  m.max_branch();
}

void block_8(Mixed& m, const Style& style) {  // mixed9, mixed10
  m.branch("1x1", {{320, 1, 1}});
  m.branch("3x3", {{384, 1, 1}}).split(style, 384);
  m.branch("3x3dbl", {{448, 1, 1}, {384, 3, 3}}).split(style, 384);
  m.average_branch(192);
}

void build_block(Mixed& m, int index, const Style& style) {
  constexpr int64_t kPoolWidth[] = {32, 64, 64};
  constexpr int64_t kSevens[] = {128, 160, 160, 192};
  if (index < 3) return block_35(m, kPoolWidth[index]);
  if (index == 3) return reduce_to_17(m);
  if (index < 8) return block_17(m, kSevens[index - 4]);
  if (index == 8) return reduce_to_8(m);
  block_8(m, style);
}

// The seven layers before mixed0. The pools have numbers too.
int64_t build_stem(Sequence& stem, const Style& style) {
  int64_t in = 3;
  const auto conv = [&](int64_t k, int64_t extent, int64_t stride, Padding padding) {
    const int64_t out = style.channels(k);
    stem.then<ConvBn>(Filter{in, out, extent, extent},
                      Conv2dSpec{.stride_h = stride, .stride_w = stride, .padding = padding}, style.norm, style.gamma);
    in = out;
  };
  conv(32, 3, 2, {});
  conv(32, 3, 1, {});
  conv(64, 3, 1, Padding::all(1));
  stem.then<MaxPool2d>(kMaxPool);
  conv(80, 1, 1, {});
  conv(192, 3, 1, {});
  stem.then<MaxPool2d>(kMaxPool);
  return in;
}

}  // namespace

InceptionV3::InceptionV3(BackboneOptions options) : Backbone(options, Modality::Frames) {
  const Style style{
      options.width,
      {.epsilon = 1e-3f, .new_value_weight = options.batch_norm_new_value_weight, .activation = Activation::Relu},
      options.batch_norm_gamma,
      options.pool_padding};
  preprocess_pixels(std::vector<float>(3, 1.0f / 127.5f), std::vector<float>(3, -1.0f));
  Sequence& stem = child<Sequence>("stem");
  int64_t channels = build_stem(stem, style);
  stages_.push_back(&stem);
  for (int index = 0; index <= 10; ++index) {
    Mixed& mixed = child<Mixed>(str("mixed", index), channels, style);
    build_block(mixed, index, style);
    channels = mixed.out_channels();
    stages_.push_back(&mixed);
  }
  features_ = channels;
  add_head();
}

std::vector<std::string> InceptionV3::stages() const {
  std::vector<std::string> names;
  for (const Layer* stage : stages_) names.push_back(stage->path());
  return names;
}

void InceptionV3::check_input(const Shape& x) const {
  const Nhwc in = as_nhwc(x);
  AVS_CHECK(ShapeError, in.h >= 75 && in.w >= 75 && in.c == 3,
            "InceptionV3 takes frames [n, h, w, 3] with h and w at least 75, got ", x);
}

Variable InceptionV3::body(const Variable& x) {
  Variable y = x;
  for (Layer* stage : stages_) {
    y = run_stage(*stage, y);
    passed(stage->path(), y);
  }
  return global_avg_pool(y);
}

}  // namespace avs
