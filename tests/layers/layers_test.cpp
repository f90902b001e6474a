// Layers: names, modes, errors. Their ops (tests/tensor/ops) and the networks (tests/models) test the values.
#include <cmath>

#include "layers/conv_bn.h"
#include "layers/depthwise_conv2d.h"
#include "layers/dropout.h"
#include "layers/layer_norm.h"
#include "layers/linear.h"
#include "layers/pooling.h"
#include "layers/sequence.h"
#include "tests/op_case.h"

namespace avs {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

Tensor random_tensor(const Shape& shape, size_t seed) {
  return to_tensor(reference::random_vector(shape.size(), seed), shape);
}

std::vector<std::string> names_of(Module& module) {
  std::vector<std::string> names;
  for (const Parameter* p : module.parameters()) names.push_back(p->path);
  for (const Buffer* b : module.buffers()) names.push_back(b->path);
  return names;
}

class Net final : public Module {
 public:
  Net() : stem_(child<Sequence>("stem")), norm_(child<LayerNorm>("norm", 4, 1e-6f)) {
    stem_.then<ConvBn>(Filter{3, 4, 3, 3})
        .then<MaxPool2d>(Pool2dSpec{})
        .then<Conv2d>(Filter{4, 4}, Conv2dSpec{}, Bias::Zero);
  }
  Sequence& stem_;
  LayerNorm& norm_;
};

TEST(Module, PathsAreTheNamesOnTheWayDown) {
  Net net;
  EXPECT_THAT(names_of(net),
              ElementsAre("stem.0.conv.weight", "stem.0.bn.gamma", "stem.0.bn.beta", "stem.2.weight", "stem.2.bias",
                          "norm.gain", "norm.bias", "stem.0.bn.running_mean", "stem.0.bn.running_variance"));
  net.set_path("net");
  EXPECT_EQ(names_of(net).front(), "net.stem.0.conv.weight");
}

TEST(Module, WeightsDecayAndNormsAndBiasesDoNot) {
  Net net;
  for (const Parameter* p : net.parameters())
    EXPECT_EQ(p->decay == Decay::Yes, p->path.ends_with(".weight")) << p->path;
}

TEST(Module, AFrozenTreeAsksForNoGradientsAndItsStatisticsStandStill) {
  Net net;
  initialize(net, 1);
  net.freeze();
  const Variable y = net.stem_(Variable(random_tensor({2, 6, 6, 3}, 1)));
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(net.buffers()[0]->value.to_vector(), std::vector<float>(4, 0.0f));
}

TEST(Layer, ErrorsNameEveryLayerOnTheWayOut) {
  Net net;
  const std::string message = error_of<ShapeError>([&] { net.stem_(Variable(Tensor::zeros({1, 6, 6, 5}))); });
  EXPECT_THAT(message, AllOf(HasSubstr("in layer 'stem.0.conv' with input [1, 6, 6, 5]"),
                             HasSubstr("in layer 'stem.0' with input [1, 6, 6, 5]"),
                             HasSubstr("in layer 'stem' with input [1, 6, 6, 5]")));
}

TEST(Layer, ErrorsOfGradientsNameTheLayerThatRecordedThem) {
  Net net;
  initialize(net, 1);
  const Variable y = net.stem_(Variable(random_tensor({2, 6, 6, 3}, 1)));
  EXPECT_THAT(print_graph(y), AllOf(HasSubstr("conv2d  in stem.0.conv"), HasSubstr("batch_norm  in stem.0.bn"),
                                    HasSubstr("max_pool2d  in stem.1")));
}

// ---- initial values of parameters ----

struct Moments {
  double mean = 0, deviation = 0, largest = 0;
};
Moments moments_of(const Tensor& tensor) {
  Moments m;
  double squares = 0;
  for (const float v : tensor.to_vector()) {
    m.mean += v;
    squares += static_cast<double>(v) * v;
    m.largest = std::max(m.largest, static_cast<double>(std::abs(v)));
  }
  const auto n = static_cast<double>(tensor.size());
  m.mean /= n;
  m.deviation = std::sqrt(squares / n - m.mean * m.mean);
  return m;
}

template <typename L>
Moments drawn(L& layer) {
  initialize(layer, 3);
  return moments_of(layer.weight().value());
}

TEST(Init, GlorotUniformHasItsLimitAndDeviation) {
  Conv2d conv(Filter{64, 96, 3, 3});  // fans 576 and 864
  const Moments m = drawn(conv);
  const double limit = std::sqrt(6.0 / (576 + 864));
  EXPECT_NEAR(m.mean, 0, 0.01 * limit);
  EXPECT_NEAR(m.deviation, limit / std::sqrt(3.0), 0.01 * limit);
  EXPECT_LE(m.largest, limit);
  EXPECT_GT(m.largest, 0.999 * limit);
}

TEST(Init, TruncatedNormalEndsAtTwoDeviations) {
  DepthwiseConv2d depthwise(2000, 7, Init::truncated_normal(0.02f));
  const Moments m = drawn(depthwise);
  EXPECT_NEAR(m.mean, 0, 0.0003);
  EXPECT_NEAR(m.deviation, 0.02 * 0.8796, 0.0003);  // the deviation of a standard normal cut at +-2
  EXPECT_LE(m.largest, 0.04);
  EXPECT_GT(m.largest, 0.0399);
}

TEST(Init, ConstantsNeedNoDrawing) {
  LayerNorm norm(3, 1e-6f);
  EXPECT_EQ(norm.gain().value().to_vector(), (std::vector<float>{1, 1, 1}));
  EXPECT_EQ(norm.bias().value().to_vector(), (std::vector<float>{0, 0, 0}));
}

// ---- modes ----

TEST(BatchNorm, TrainingMovesTheRunningStatisticsAndInferenceReadsThem) {
  BatchNorm norm(1, {.new_value_weight = 0.5f});
  const std::vector<float> values{1, 3};
  const Variable x(Tensor::from({2, 1}, std::span<const float>(values)));
  norm(x);
  EXPECT_EQ(norm.buffers()[0]->value.to_vector(), std::vector<float>{1.0f});  // half of 0, half of 2
  EXPECT_EQ(norm.buffers()[1]->value.to_vector(), std::vector<float>{1.5f});  // half of 1, half of 2
  norm.eval();
  const Vector y = to_double(norm(x).value());
  EXPECT_NEAR(y[0], 0, 1e-6);
  EXPECT_NEAR(y[1], 2 / std::sqrt(1.501), 1e-6);
  EXPECT_EQ(norm.buffers()[0]->value.to_vector(), std::vector<float>{1.0f});
}

TEST(ConvBn, FoldedInferenceEqualsTheTwoSteps) {
  for (const Gamma gamma : {Gamma::Learned, Gamma::One})
    for (const Activation activation : {Activation::None, Activation::Relu}) {
      ConvBn layer(Filter{5, 7, 3, 2}, Conv2dSpec{.padding = Padding::same(3, 2)}, {.activation = activation}, gamma);
      initialize(layer, 1);
      for (Buffer* b : layer.buffers())
        for (int64_t i = 0; i < 7; ++i) b->value.data<float>()[i] = 0.3f + 0.1f * static_cast<float>(i);
      layer.eval();
      const Variable x(random_tensor({2, 9, 8, 5}, 2));
      const Vector with_graph = to_double(layer(x).value());
      const NoGrad no_grad;
      EXPECT_LT(relative_error(to_double(layer(x).value()), with_graph), 1e-6);
    }
}

TEST(Dropout, DrawsAnewEachStepAndItsOwnMaskInEachLayer) {
  RandomState random;
  Dropout a(0.5f, random), b(0.5f, random);
  const Variable ones(Tensor::full({1000}, 1.0f));
  const auto mask = [&](Dropout& layer, uint64_t step) {
    random.set(7, step);
    return layer(ones).value().to_vector();
  };
  const std::vector<float> first = mask(a, 1);
  EXPECT_EQ(mask(a, 1), first);
  EXPECT_NE(mask(a, 2), first);
  EXPECT_NE(mask(b, 1), first);
  EXPECT_NEAR(static_cast<double>(std::ranges::count(first, 0.0f)), 500, 80);
  EXPECT_EQ(std::ranges::count(first, 2.0f) + std::ranges::count(first, 0.0f), 1000);
  a.eval();
  EXPECT_EQ(a(ones).value().to_vector(), std::vector<float>(1000, 1.0f));
}

TEST(Dropout, StateHoldsSeedAndStepLowWordsFirst) {
  RandomState random;
  random.set(0x0000000200000001u, 0x0000000400000003u);
  const int32_t* state = random.state().data<int32_t>();
  EXPECT_THAT(std::vector<int32_t>(state, state + 4), ElementsAre(1, 2, 3, 4));
}

TEST(Dropout, RefusesRatesThatKeepNothing) {
  RandomState random;
  EXPECT_THAT(error_of<UsageError>([&] { Dropout(1.0f, random); }), HasSubstr("in [0, 1), got 1"));
}

TEST(Conv2d, PadsEvenFiltersAsKerasDoes) {
  Conv2d conv(Filter{1, 1, 1, 4}, Conv2dSpec{.padding = Padding::same(1, 4)});
  conv.parameters()[0]->variable.set_value(to_tensor({1, 10, 100, 1000}, {1, 1, 4, 1}));
  const Vector y = to_double(conv(Variable(to_tensor({1, 2, 3}, {1, 1, 3, 1}))).value());
  EXPECT_EQ(y, (Vector{3210, 321, 32}));  // one zero before, two after
}

TEST(Init, FansAreOfTheWeightsShape) {
  EXPECT_EQ(fans_of({8, 3}).in, 3);
  EXPECT_EQ(fans_of({8, 3}).out, 8);
  EXPECT_EQ(fans_of({16, 3, 5, 4}).in, 60);
  EXPECT_EQ(fans_of({16, 3, 5, 4}).out, 240);
  EXPECT_EQ(fans_of({7, 7, 32}).in, 49);
  EXPECT_THAT(error_of<ShapeError>([] { fans_of({3}); }), HasSubstr("got [3]"));
}

}  // namespace
}  // namespace avs
