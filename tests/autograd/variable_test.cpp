// The graph itself: recording, and the walk back through it. Gradients of the ops are compared in tests/tensor/ops.
#include "autograd/variable.h"

#include "autograd/functions.h"
#include "autograd/interrupt.h"
#include "autograd/watch.h"
#include "tests/op_case.h"

namespace avs {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Floats = std::vector<float>;

Variable leaf(float value, bool requires_grad = true) { return Variable(Tensor::full({2}, value), requires_grad); }
Tensor ones() { return Tensor::full({2}, 1.0f); }

// 3 x, with a closure that holds `kept` and runs `watch` first.
Variable tripled(
    const Variable& x, std::shared_ptr<int> kept = nullptr, std::function<void()> watch = [] {}) {
  return record("tripled", {x}, Tensor::full(x.shape(), 3 * x.value().to_vector()[0]),
                [kept = std::move(kept), watch = std::move(watch)](const Tensor& dy, const Needs&) {
                  watch();
                  return std::vector<Tensor>{Tensor::full(dy.shape(), 3 * dy.to_vector()[0])};
                });
}

// ---- recording ----

TEST(NoGrad, NestsAndEndsWithTheOutermost) {
  const Variable x = leaf(1);
  {
    const NoGrad outer;
    {
      const NoGrad inner;
      EXPECT_FALSE(recording({x}));
    }
    EXPECT_FALSE(recording({x})) << "the inner one ended, the outer one did not";
    EXPECT_FALSE(gelu(x).requires_grad());
  }
  EXPECT_TRUE(recording({x}));
  EXPECT_TRUE(gelu(x).requires_grad());
}

TEST(NoGrad, DropsTheClosureAndAllThatItHolds) {
  const auto kept = std::make_shared<int>(1);
  const Variable x = leaf(1);
  const NoGrad no_grad;
  const Variable y = tripled(x, kept);
  EXPECT_EQ(kept.use_count(), 1);
  EXPECT_EQ(y.value().to_vector(), (Floats{3, 3}));
}

TEST(Record, DropsTheClosureWhereNoInputNeedsAGradient) {
  const auto kept = std::make_shared<int>(1);
  const Variable y = tripled(leaf(1, false), kept);
  EXPECT_EQ(kept.use_count(), 1);
  EXPECT_FALSE(y.requires_grad());
}

TEST(Record, ARecordedValueIsNoLeaf) {
  Variable y = tripled(leaf(1));
  EXPECT_THAT(error_of<ShapeError>([&] { y.set_requires_grad(false); }), HasSubstr("only a leaf can be frozen"));
  EXPECT_THAT(error_of<ShapeError>([&] { y.set_value(ones()); }), HasSubstr("only a leaf can be written"));
  y.backward(ones());
  EXPECT_THAT(error_of<ShapeError>([&] { y.set_value(ones()); }), HasSubstr("only a leaf"))
      << "after its graph ran too";
}

TEST(PrintGraph, HasALineForEachNodeNewestFirst) {
  const Variable x = leaf(1), constant = leaf(2, false);
  const std::string graph = print_graph(add(tripled(add(x, constant)), x));
  EXPECT_THAT(graph, testing::MatchesRegex("([0-9]+)  add  <- [0-9]+ leaf\n"
                                           "[0-9]+  tripled  <- [0-9]+\n"
                                           "[0-9]+  add  <- leaf constant\n"));
}

// ---- backward ----

TEST(Backward, AVariableUsedTwiceGetsTheSumOfItsGradients) {
  const Variable x = leaf(1);
  add(x, x).backward(ones());  // both inputs receive one and the same tensor
  EXPECT_EQ(x.grad().to_vector(), (Floats{2, 2}));
  x.zero_grad();
  const Variable y = tripled(x);
  add(add(y, tripled(y)), x).backward(ones());  // x has two readers, and so has y
  EXPECT_EQ(x.grad().to_vector(), (Floats{13, 13}));
}

TEST(Backward, GradientsOfTwoGraphsAddUpInTheirLeaf) {
  const Variable x = leaf(1);
  tripled(x).backward(ones());
  const Tensor first = x.grad();
  tripled(x).backward(ones());
  EXPECT_EQ(x.grad().to_vector(), (Floats{6, 6}));
  EXPECT_EQ(first.to_vector(), (Floats{3, 3})) << "a gradient that somebody holds is not written to";
}

TEST(Backward, NeverWritesToTheGradientThatItWasGiven) {
  const Variable x = leaf(1);
  const Tensor dy = ones();
  add(add(x, x), x).backward(dy);
  EXPECT_EQ(dy.to_vector(), (Floats{1, 1}));
}

TEST(Backward, FreesEachClosureBeforeTheNextRuns) {
  const auto kept = std::make_shared<int>(1);
  int64_t holders = -1;
  const Variable x = leaf(1);
  const Variable first = tripled(x, nullptr, [&] { holders = kept.use_count(); });  // runs last
  const Variable y = tripled(first, kept);
  EXPECT_EQ(kept.use_count(), 2);
  y.backward(ones());
  EXPECT_EQ(holders, 1) << "the closure of the second function still lived when that of the first ran";
  EXPECT_EQ(x.grad().to_vector(), (Floats{9, 9}));
  EXPECT_FALSE(first.grad().defined()) << "a gradient between stays nowhere";
}

TEST(Backward, AGraphThatIsDroppedFreesItsClosures) {
  const auto kept = std::make_shared<int>(1);
  { const Variable y = tripled(tripled(leaf(1), kept)); }
  EXPECT_EQ(kept.use_count(), 1);
}

TEST(Backward, ASecondTimeIsRefused) {
  const Variable x = leaf(1), y = tripled(x), z = tripled(y);
  z.backward(ones());
  const auto refused = [](const Variable& v) { return error_of<UsageError>([&] { v.backward(ones()); }); };
  EXPECT_THAT(refused(z), HasSubstr("the graph of tripled was freed by a backward() before"));
  EXPECT_THAT(refused(y), HasSubstr("a graph runs once"));
  EXPECT_THAT(refused(add(y, x)), HasSubstr("a graph runs once")) << "a new value on a graph that ran";
  EXPECT_EQ(x.grad().to_vector(), (Floats{9, 9})) << "nothing was added";
}

TEST(Backward, BeginsAtAScalarOrWithAGradientOfTheValuesShape) {
  const Variable y = tripled(leaf(1));
  EXPECT_THAT(error_of<ShapeError>([&] { y.backward(); }), HasSubstr("starts from a scalar, got [2]"));
  EXPECT_THAT(error_of<ShapeError>([&] { y.backward(Tensor::full({3}, 1.0f)); }),
              HasSubstr("the gradient is [3], the value [2]"));
  EXPECT_THAT(error_of<ShapeError>([&] { leaf(1, false).backward(ones()); }),
              HasSubstr("nothing behind this value requires a gradient"));
}

// ---- inputs without a gradient ----

TEST(Needs, SayWhichInputsWantAGradient) {
  Needs seen;
  const Variable x = leaf(1), constant = leaf(2, false), none;
  const Variable y = record("watched", {x, constant, none}, ones(), [&](const Tensor& dy, const Needs& needs) {
    seen = needs;
    return std::vector<Tensor>{dy, Tensor(), Tensor()};
  });
  y.backward(ones());
  EXPECT_EQ(seen, (Needs{true, false, false}));
  EXPECT_EQ(x.grad().to_vector(), (Floats{1, 1}));
  EXPECT_FALSE(constant.grad().defined());
}

TEST(Needs, AGradientThatNobodyWantsIsDropped) {
  const Variable x = leaf(1), constant = leaf(2, false);
  record("generous", {x, constant}, ones(), [](const Tensor& dy, const Needs&) {
    return std::vector<Tensor>{dy, dy};
  }).backward(ones());
  EXPECT_FALSE(constant.grad().defined());
}

TEST(Needs, AFrozenSubgraphIsNotRecordedAndNotWalked) {
  Variable frozen = leaf(1);
  frozen.set_requires_grad(false);
  int runs = 0;
  const Variable x = leaf(1), below = tripled(frozen, nullptr, [&] { ++runs; });
  const Variable y = add(below, x);
  EXPECT_THAT(print_graph(y), AllOf(Not(HasSubstr("tripled")), HasSubstr("add  <- constant leaf")));
  y.backward(ones());
  EXPECT_EQ(runs, 0);
  EXPECT_FALSE(frozen.grad().defined());
  EXPECT_EQ(x.grad().to_vector(), (Floats{1, 1}));
}

TEST(Needs, ALeafFrozenAfterRecordingGetsNoGradient) {
  Variable x = leaf(1);
  const Variable y = leaf(1), z = add(x, y);
  x.set_requires_grad(false);
  z.backward(ones());
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(y.grad().to_vector(), (Floats{1, 1}));
}

// ---- layers, errors, interrupts ----

Variable failing(const Variable& x) {
  return record("failing", {x}, x.value(),
                [](const Tensor&, const Needs&) -> std::vector<Tensor> { throw NumericError("a bad number"); });
}

TEST(Watch, AnErrorNamesTheOpAndTheLayerThatRecordedIt) {
  const std::string outer = "stage1", inner = "stage1.conv";
  const Variable x = leaf(1);
  Variable y, z;
  {
    const LayerScope stage(outer);
    {
      const LayerScope conv(inner);
      EXPECT_EQ(current_layer(), inner);
      y = failing(x);
    }
    EXPECT_EQ(current_layer(), outer);
  }
  EXPECT_EQ(current_layer(), "");
  EXPECT_EQ(error_of<NumericError>([&] { y.backward(ones()); }),
            "a bad number\n    in the gradient of failing in layer 'stage1.conv'");
  EXPECT_EQ(error_of<NumericError>([&] { failing(x).backward(ones()); }),
            "a bad number\n    in the gradient of failing");
}

TEST(Watch, AnInterruptEndsABackwardPassBetweenTwoNodes) {
  const Variable x = leaf(1);
  const Variable y = tripled(tripled(x), nullptr, [] { interrupt_requested = true; });
  EXPECT_EQ(error_of<Interrupted>([&] { y.backward(ones()); }), "interrupted");
  interrupt_requested = false;
  EXPECT_FALSE(x.grad().defined());
}

TEST(Watch, WhatMustEndWholeIsNotInterrupted) {
  const Variable x = leaf(1), y = tripled(x);
  interrupt_requested = true;
  {
    const Uninterrupted whole;
    y.backward(ones());
  }
  interrupt_requested = false;
  EXPECT_EQ(x.grad().to_vector(), (Floats{3, 3}));
}

}  // namespace
}  // namespace avs
