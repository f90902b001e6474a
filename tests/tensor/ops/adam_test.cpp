#include "tensor/ops/adam.h"

#include "tensor/ops/reduce.h"
#include "tests/op_case.h"
#include "tests/reference/adam.h"

namespace avs {
namespace {

using reference::AdamState;
using reference::EpsilonPlacement;

struct Trajectory {
  Vector engine, oracle;
};

// Runs twenty steps with new random gradients; tests compare the parameters at the end.
Trajectory twenty_steps(AdamSpec spec, double gradient_scale, int64_t n, Device device) {
  AdamState state{reference::random_vector(n, 1), Vector(static_cast<size_t>(n)), Vector(static_cast<size_t>(n))};
  Tensor p = to_tensor(state.parameters, {n}, device);
  Tensor m = Tensor::zeros({n}, DType::F32, device), v = Tensor::zeros({n}, DType::F32, device);
  for (int t = 1; t <= 20; ++t) {
    const Vector g = reference::random_vector(n, 100 + static_cast<uint64_t>(t), gradient_scale);
    ops::adam(p, to_tensor(g, {n}, device), m, v, to_tensor({0.01, static_cast<double>(t)}, {2}, device), spec);
    reference::adam(state, g, double{0.01f}, t, double{spec.beta1}, double{spec.beta2}, double{spec.epsilon},
                    double{spec.l2},
                    spec.placement == AdamEpsilon::Corrected ? EpsilonPlacement::Corrected : EpsilonPlacement::Hat);
  }
  return {to_double(p), state.parameters};
}

TEST(Adam, FollowsTheOracleOverTwentyStepsWithBothPlacementsOfEpsilon) {
  for (const Device device : devices())
    for (const AdamEpsilon placement : {AdamEpsilon::Corrected, AdamEpsilon::Hat})
      for (const float l2 : {0.0f, 0.01f}) {
        const Trajectory t = twenty_steps({.placement = placement, .l2 = l2}, 1.0, 1003, device);
        EXPECT_LT(relative_error(t.engine, t.oracle), 1e-6) << "l2 " << l2;
      }
}

// The gradients are as small as epsilon, so its placement matters: the forms must differ, and each must be correct.
TEST(Adam, TellsThePlacementsOfEpsilonApart) {
  const AdamSpec corrected{.epsilon = 1e-3f, .placement = AdamEpsilon::Corrected};
  const AdamSpec hat{.epsilon = 1e-3f, .placement = AdamEpsilon::Hat};
  const Trajectory a = twenty_steps(corrected, 1e-3, 101, kCpu), b = twenty_steps(hat, 1e-3, 101, kCpu);
  EXPECT_LT(relative_error(a.engine, a.oracle), 1e-6);
  EXPECT_LT(relative_error(b.engine, b.oracle), 1e-6);
  EXPECT_GT(relative_error(a.engine, b.engine), 1e-3);
}

TEST(Adam, MovesParametersInOneArenaWithoutTouchingTheirNeighbours) {
  for (const Device device : devices()) {
    const Tensor arena = Tensor::full({30}, 1.0f, device), one = Tensor::full({10}, 1.0f, device);
    Tensor middle = arena.view(10, {10});
    Tensor m = Tensor::zeros({10}, DType::F32, device), v = Tensor::zeros({10}, DType::F32, device);
    ops::adam(middle, one, m, v, to_tensor({0.1, 1.0}, {2}, device), {});
    const Vector values = to_double(arena);
    for (size_t i = 0; i < 30; ++i) {
      if (i < 10 || i >= 20)
        EXPECT_EQ(values[i], 1.0) << i << " on " << device;
      else
        EXPECT_NEAR(values[i], 0.9, 1e-5) << i << " on " << device;  // the first step equals the learning rate
    }
  }
}

TEST(Adam, EmaFollowsItsFormula) {
  for (const Device device : devices()) {
    const Vector a = reference::random_vector(1001, 1), b = reference::random_vector(1001, 2);
    Tensor average = to_tensor(a, {1001}, device);
    ops::ema(average, to_tensor(b, {1001}, device), 0.9f);
    Vector expected = a;
    for (size_t i = 0; i < a.size(); ++i) expected[i] = double{0.9f} * a[i] + (1 - double{0.9f}) * b[i];
    EXPECT_LT(relative_error(to_double(average), expected), 1e-6);
  }
}

// ---- loss scaling ----

// Returns find_non_finite() of gradients with or without one bad value.
Tensor looked_at(bool good, Device device) {
  return ops::find_non_finite(to_tensor({1.0, good ? 2.0 : INFINITY}, {2}, device));
}

TEST(LossScale, HalvesWhereAGradientIsNotFiniteAndDoublesAfterTwoThousandGoodSteps) {
  for (const Device device : devices()) {
    Tensor scaling = to_tensor({kFirstScale, 0, 0, 0}, {4}, device);
    const auto after = [&](bool good) {
      ops::update_loss_scale(scaling, looked_at(good, device), LossScale::Dynamic);
      return to_double(scaling);
    };
    EXPECT_EQ(after(true), (Vector{65536, 1, 0, 1.0 / 65536})) << device;
    EXPECT_EQ(after(false), (Vector{32768, 0, 1, 0})) << device;
    EXPECT_EQ(after(false), (Vector{16384, 0, 2, 0})) << device;
    EXPECT_EQ(after(true), (Vector{16384, 1, 2, 1.0 / 16384})) << device;
    scaling.copy_from(to_tensor({16384, 1998, 2, 0}, {4}, device));
    EXPECT_EQ(after(true), (Vector{16384, 1999, 2, 1.0 / 16384})) << device;
    EXPECT_EQ(after(true), (Vector{32768, 0, 2, 1.0 / 16384})) << device;  // the factor belongs to the step just made
    scaling.copy_from(to_tensor({kMaxScale, 1999, 0, 0}, {4}, device));
    EXPECT_EQ(after(true)[0], double{kMaxScale}) << device;
  }
}

TEST(LossScale, FixedOnlyStopsTheStep) {
  for (const Device device : devices()) {
    Tensor scaling = to_tensor({1, 0, 0, 1}, {4}, device);
    ops::update_loss_scale(scaling, looked_at(false, device), LossScale::Fixed);
    EXPECT_EQ(to_double(scaling), (Vector{1, 0, 0, 0})) << device;
    ops::update_loss_scale(scaling, looked_at(true, device), LossScale::Fixed);
    EXPECT_EQ(to_double(scaling), (Vector{1, 0, 0, 1})) << device;
  }
}

// Gradients of a loss that was multiplied by 1024, with a skipped step in between, give the same parameters as without
// both, because a power of two changes only the exponent.
TEST(LossScale, AdamDividesByTheScaleAndDoesNotCountASkippedStep) {
  constexpr int64_t kCount = 2003;
  for (const Device device : devices()) {
    std::vector<std::vector<float>> ends;
    for (const double scale : {1.0, 1024.0}) {
      Tensor p = to_tensor(reference::random_vector(kCount, 1), {kCount}, device);
      Tensor m = Tensor::zeros({kCount}, DType::F32, device), v = Tensor::zeros({kCount}, DType::F32, device);
      const auto step = [&](double t, double skipped, double factor) {
        Vector g = reference::random_vector(kCount, 7 + static_cast<uint64_t>(t - skipped));
        for (double& x : g) x *= scale;
        ops::adam(p, to_tensor(g, {kCount}, device), m, v, to_tensor({0.01, t}, {2}, device), {.l2 = 0.1f},
                  to_tensor({scale, 0, skipped, factor}, {4}, device));
      };
      step(1, 0, 1 / scale);
      if (scale == 1.0) {
        step(2, 0, 1 / scale);
      } else {
        const std::vector<float> before = p.to_vector();
        step(2, 1, 0);
        EXPECT_EQ(p.to_vector(), before) << device;
        step(3, 1, 1 / scale);
      }
      ends.push_back(p.to_vector());
    }
    EXPECT_EQ(ends[0], ends[1]) << device;
  }
}

TEST(Adam, RefusesWhatDoesNotFit) {
  Tensor p = Tensor::zeros({3}), m = Tensor::zeros({3}), v = Tensor::zeros({4});
  const Tensor g = Tensor::zeros({3}), scalars = Tensor::zeros({2});
  EXPECT_THAT(error_of<ShapeError>([&] { ops::adam(p, g, m, v, scalars, {}); }),
              testing::HasSubstr("adam: parameters is [3] but v is [4]"));
  EXPECT_THAT(error_of<ShapeError>([&] { ops::adam(p, g, m, m, Tensor::zeros({1}), {}); }),
              testing::HasSubstr("scalars must be [2] = learning rate, step"));
  EXPECT_THAT(error_of<UsageError>([&] { ops::adam(p, g, m, m, scalars, {.beta2 = 1.0f}); }),
              testing::HasSubstr("must lie in [0, 1), got 0.9 and 1"));
  EXPECT_THAT(error_of<ShapeError>([&] { ops::adam(p, g, m, m, scalars, {}, Tensor::zeros({3})); }),
              testing::HasSubstr("scaling must be [4] = scale, good steps, skipped steps, factor, got [3]"));
  EXPECT_THAT(error_of<UsageError>([&] { ops::ema(p, g, 1.5f); }), testing::HasSubstr("decay must lie in [0, 1]"));
}

}  // namespace
}  // namespace avs
