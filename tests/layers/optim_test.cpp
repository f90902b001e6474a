// Schedules against closed forms, Adam and averaged weights against double-precision references.
#include <array>
#include <cmath>
#include <numbers>

#include "autograd/functions.h"
#include "layers/optim/adam.h"
#include "layers/optim/schedule.h"
#include "layers/optim/weight_average.h"
#include "tests/op_case.h"
#include "tests/reference/adam.h"

namespace avs {
namespace {

// ---- schedules ----

TEST(Schedule, ConstantStaysAtThePeak) {
  const Schedule s{Schedule::Kind::Constant, 1e-4, 100, 0.05};
  for (int64_t t : {0, 50, 99, 500}) EXPECT_DOUBLE_EQ(s.learning_rate(t), 1e-4);
}

TEST(Schedule, CosineRisesInALineAndFallsToZeroAtTheEnd) {
  const Schedule s{Schedule::Kind::Cosine, 2.0, 110, 10.0 / 110};
  EXPECT_NEAR(s.learning_rate(0), 0.2, 1e-12);
  EXPECT_NEAR(s.learning_rate(9), 2.0, 1e-12);
  EXPECT_NEAR(s.learning_rate(10), 2.0, 1e-12);
  EXPECT_NEAR(s.learning_rate(60), 1.0, 1e-12);
  EXPECT_NEAR(s.learning_rate(109), 1 + std::cos(std::numbers::pi * 99 / 100), 1e-12);
}

// torch.optim.lr_scheduler.OneCycleLR(max_lr=0.1, total_steps=100): its values, by its definition.
TEST(Schedule, OneCycleIsPyTorchs) {
  const Schedule s{Schedule::Kind::OneCycle, 0.1, 100, 0};
  EXPECT_NEAR(s.learning_rate(0), 0.1 / 25, 1e-12);
  EXPECT_NEAR(s.learning_rate(29), 0.1, 1e-12);
  EXPECT_NEAR(s.learning_rate(99), 0.1 / 25 / 1e4, 1e-12);
  EXPECT_NEAR(s.learning_rate(10), 0.1 + (0.004 - 0.1) / 2 * (1 + std::cos(std::numbers::pi * 10 / 29)), 1e-12);
  EXPECT_NEAR(s.learning_rate(64), 4e-7 + (0.1 - 4e-7) / 2 * (1 + std::cos(std::numbers::pi * 35 / 70)), 1e-12);
}

TEST(Schedule, AOneStepRunHasALearningRate) {
  for (const char* name : {"constant", "cosine", "one-cycle"}) {
    const double rate = Schedule{schedule_of(name), 0.1, 1, 0.05}.learning_rate(0);
    EXPECT_GT(rate, 0) << name;
    EXPECT_LE(rate, 0.1) << name;
  }
}

// ---- Adam ----

// Two decaying parameters around one that does not decay, so that the arena has to sort.
class Three final : public Module {
 public:
  Three()
      : a_(param("a", to_tensor(reference::random_vector(6, 1), {2, 3}))),
        b_(param("b", to_tensor(reference::random_vector(3, 2), {3}), Decay::No)),
        c_(param("c", to_tensor(reference::random_vector(4, 3), {4}))) {}
  Parameter &a_, &b_, &c_;
};

void give_gradients(Module& module, uint64_t seed) {
  for (Parameter* p : module.parameters())
    p->variable.set_grad(to_tensor(reference::random_vector(p->variable.value().size(), seed++), p->variable.shape()));
}

class AdamPlacement : public testing::TestWithParam<AdamEpsilon> {};

TEST_P(AdamPlacement, MatchesTheReferenceWithL2OnDecayingParametersOnly) {
  Three module;
  std::map<std::string, reference::AdamState> expected;
  for (Parameter* p : module.parameters()) {
    const reference::Vector values = to_double(p->variable.value());
    expected[p->path] = {values, reference::Vector(values.size(), 0), reference::Vector(values.size(), 0)};
  }
  ParameterArena arena(module);
  Adam adam(arena, {.placement = GetParam(), .l2 = 0.1f});
  const auto placement =
      GetParam() == AdamEpsilon::Hat ? reference::EpsilonPlacement::Hat : reference::EpsilonPlacement::Corrected;
  for (int t = 1; t <= 20; ++t) {
    const double rate = 0.01 / t;
    give_gradients(module, static_cast<uint64_t>(100 * t));
    for (Parameter* p : module.parameters())
      reference::adam(expected[p->path], to_double(p->variable.grad()), rate, t, 0.9, 0.999, 1e-7,
                      p->decay == Decay::Yes ? 0.1 : 0.0, placement);
    adam.step(rate);
  }
  for (Parameter* p : module.parameters())
    EXPECT_LT(relative_error(to_double(p->variable.value()), expected[p->path].parameters), 1e-6) << p->path;
}

INSTANTIATE_TEST_SUITE_P(BothPlacements, AdamPlacement, testing::Values(AdamEpsilon::Hat, AdamEpsilon::Corrected));

// The same numbers as if each parameter had an optimizer of its own at its own rate.
TEST(Adam, AParameterMovesAtItsOwnShareOfTheLearningRate) {
  Three module;
  module.a_.learning_rate_factor = module.b_.learning_rate_factor = 0.1;
  std::map<std::string, reference::AdamState> expected;
  for (Parameter* p : module.parameters()) {
    const reference::Vector values = to_double(p->variable.value());
    expected[p->path] = {values, reference::Vector(values.size(), 0), reference::Vector(values.size(), 0)};
  }
  ParameterArena arena(module);
  Adam adam(arena, {.l2 = 0.1f});
  for (int t = 1; t <= 20; ++t) {
    give_gradients(module, static_cast<uint64_t>(100 * t));
    for (Parameter* p : module.parameters())
      reference::adam(expected[p->path], to_double(p->variable.grad()), 0.01 * p->learning_rate_factor, t, 0.9, 0.999,
                      1e-7, p->decay == Decay::Yes ? 0.1 : 0.0, reference::EpsilonPlacement::Hat);
    adam.step(0.01);
  }
  for (Parameter* p : module.parameters())
    EXPECT_LT(relative_error(to_double(p->variable.value()), expected[p->path].parameters), 1e-6) << p->path;
}

TEST(Adam, NeighboursWithTheSameRateAndDecayAreOneRangeOfTheArena) {
  using Ranges = std::vector<std::array<double, 3>>;  // first, count, factor
  const auto ranges_of = [](Module& module) {
    const ParameterArena arena(module);
    Ranges ranges;
    for (const ParameterArena::Range& r : arena.ranges())
      ranges.push_back({static_cast<double>(r.first), static_cast<double>(r.count), r.learning_rate_factor});
    return ranges;
  };
  Three plain, slow;
  EXPECT_EQ(ranges_of(plain), (Ranges{{0, 10, 1}, {10, 3, 1}}));
  slow.a_.learning_rate_factor = slow.b_.learning_rate_factor = 0.1;
  EXPECT_EQ(ranges_of(slow), (Ranges{{0, 6, 0.1}, {6, 4, 1}, {10, 3, 0.1}}));
}

TEST(Adam, TheArenaHoldsDecayingParametersFirstAndTheirValuesStay) {
  Three module;
  const std::vector<float> a = module.a_.variable.value().to_vector();
  ParameterArena arena(module);
  EXPECT_EQ(arena.size(), 13);
  EXPECT_EQ(arena.decaying_size(), 10);
  EXPECT_EQ(module.a_.variable.value().to_vector(), a);
  EXPECT_EQ(arena.path_at(5), "a");
  EXPECT_EQ(arena.path_at(6), "c");
  EXPECT_EQ(arena.path_at(12), "b");
}

TEST(Adam, ThePenaltyCountsDecayingParametersOnly) {
  Three module;
  double squares = 0;
  for (const Parameter* p : {&module.a_, &module.c_})
    for (const double x : to_double(p->variable.value())) squares += x * x;
  ParameterArena arena(module);
  EXPECT_NEAR(Adam(arena, {.l2 = 0.1f}).l2_penalty(), 0.05 * squares, 1e-6);
}

TEST(Adam, FrozenParametersStayOutOfTheArena) {
  Three module;
  module.a_.variable.set_requires_grad(false);
  EXPECT_EQ(ParameterArena(module).size(), 7);
  module.freeze();
  EXPECT_THAT(error_of<UsageError>([&] { ParameterArena arena(module); }), testing::HasSubstr("no trainable"));
}

TEST(Adam, ItsStateSavedAndLoadedContinuesBitIdentically) {
  Three one, two;
  ParameterArena arena_one(one), arena_two(two);
  Adam adam_one(arena_one, {}), adam_two(arena_two, {});
  give_gradients(one, 7);
  adam_one.step(0.01);
  arena_two.values().copy_from(arena_one.values());
  adam_two.load_state(adam_one.state(), adam_one.steps());
  for (Module* module : {static_cast<Module*>(&one), static_cast<Module*>(&two)}) give_gradients(*module, 9);
  adam_one.step(0.01);
  adam_two.step(0.01);
  EXPECT_EQ(arena_one.values().to_vector(), arena_two.values().to_vector());
}

TEST(Adam, AStateOfAnotherModelIsRefusedWithEveryDifference) {
  Three module;
  ParameterArena arena(module);
  Adam adam(arena, {});
  NamedTensors state = adam.state();
  state.erase("adam.m/b");
  state["adam.m/c"] = Tensor::zeros({5});
  const std::string message = error_of<DataError>([&] { adam.load_state(state, 1); });
  EXPECT_THAT(message, testing::HasSubstr("adam.m/b is missing"));
  EXPECT_THAT(message, testing::HasSubstr("adam.m/c is [5]"));
}

TEST(Adam, ANanGradientIsNamedAndTouchesNothing) {
  Three module;
  ParameterArena arena(module);
  Adam adam(arena, {});
  give_gradients(module, 7);
  Tensor bad = Tensor::zeros({4});
  bad.data<float>()[2] = NAN;
  module.c_.variable.set_grad(bad);
  const std::vector<float> before = arena.values().to_vector();
  EXPECT_THAT(error_of<NumericError>([&] { adam.step(0.01); }), testing::HasSubstr("'c'"));
  EXPECT_EQ(arena.values().to_vector(), before);
}

TEST(Adam, TheGradientNormIsLimitedOnRequest) {
  Three limited, plain;
  ParameterArena arena(limited), plain_arena(plain);
  Adam adam(arena, {.max_gradient_norm = 0.5}), plain_adam(plain_arena, {});
  give_gradients(limited, 7);
  give_gradients(plain, 7);
  double squares = 0;
  for (Parameter* p : plain.parameters())
    for (const double g : to_double(p->variable.grad())) squares += g * g;
  ASSERT_GT(squares, 0.25);
  for (Parameter* p : plain.parameters()) {
    Vector g = to_double(p->variable.grad());
    for (double& value : g) value *= 0.5 / std::sqrt(squares);
    p->variable.set_grad(to_tensor(g, p->variable.shape()));
  }
  adam.step(0.01);
  plain_adam.step(0.01);
  EXPECT_LT(relative_error(to_double(arena.values()), to_double(plain_arena.values())), 1e-7);
  const NamedTensors m = adam.state(), expected = plain_adam.state();
  for (const auto& [name, tensor] : expected)
    EXPECT_LT(relative_error(to_double(m.at(name)), to_double(tensor)), 1e-6) << name;
}

// ---- loss scaling ----

// The gradients that a loss times the optimizer's scale gives; one of them infinite on request.
void give_scaled_gradients(Three& module, const Adam& adam, uint64_t seed, const char* infinite_in = "") {
  give_gradients(module, seed);
  const float scale = adam.loss_scale().item();
  for (Parameter* p : module.parameters()) {
    Tensor g = p->variable.grad().clone();
    for (int64_t i = 0; i < g.size(); ++i) g.data<float>()[i] *= scale;
    if (p->path == infinite_in) g.data<float>()[1] = INFINITY;
    p->variable.set_grad(g);
  }
}

TEST(LossScaling, AnOverflowSkipsExactlyItsStep) {
  Three disturbed, calm;
  ParameterArena arena(disturbed), calm_arena(calm);
  Adam adam(arena, {}), calm_adam(calm_arena, {});
  adam.scale_losses();
  calm_adam.scale_losses();
  for (const uint64_t seed : {1, 2, 3}) {
    if (seed == 2) {
      const std::vector<float> before = arena.values().to_vector();
      give_scaled_gradients(disturbed, adam, 77, "b");
      adam.step(0.01);
      EXPECT_TRUE(adam.outcome().skipped());
      EXPECT_EQ(adam.outcome().loss_scale, 32768);
      EXPECT_EQ(arena.values().to_vector(), before);
    }
    give_scaled_gradients(disturbed, adam, seed);
    give_scaled_gradients(calm, calm_adam, seed);
    adam.step(0.01);
    calm_adam.step(0.01);
    EXPECT_FALSE(adam.outcome().skipped());
  }
  EXPECT_EQ(arena.values().to_vector(), calm_arena.values().to_vector());
}

TEST(LossScaling, AScaleBelowOneIsADivergenceThatNamesItsParameter) {
  Three module;
  ParameterArena arena(module);
  Adam adam(arena, {});
  adam.scale_losses();
  for (int i = 0; i < 16; ++i) {
    give_scaled_gradients(module, adam, 5, "c");
    adam.step(0.01);
  }
  EXPECT_EQ(adam.outcome().loss_scale, 1);
  give_scaled_gradients(module, adam, 5, "c");
  EXPECT_THAT(error_of<NumericError>([&] { adam.step(0.01); }),
              testing::AllOf(testing::HasSubstr("'c'"), testing::HasSubstr("the loss scale fell to 0.5")));
}

TEST(LossScaling, IsSavedAndContinuesBitIdentically) {
  Three one, two;
  ParameterArena arena_one(one), arena_two(two);
  Adam adam_one(arena_one, {}), adam_two(arena_two, {});
  adam_one.scale_losses();
  adam_two.scale_losses();
  give_scaled_gradients(one, adam_one, 7, "a");
  adam_one.step(0.01);
  give_scaled_gradients(one, adam_one, 8);
  adam_one.step(0.01);
  EXPECT_EQ(adam_one.state().at("adam.loss_scale").to_vector(), (std::vector<float>{32768, 1, 1, 1.0f / 32768}));
  arena_two.values().copy_from(arena_one.values());
  adam_two.load_state(adam_one.state(), adam_one.steps());
  EXPECT_EQ(adam_two.loss_scale().item(), 32768);
  give_scaled_gradients(one, adam_one, 9);
  give_scaled_gradients(two, adam_two, 9);
  adam_one.step(0.01);
  adam_two.step(0.01);
  EXPECT_EQ(arena_one.values().to_vector(), arena_two.values().to_vector());
}

TEST(LossScaling, TheGradientNormIsLimitedAsIfThereWereNoScale) {
  Three scaled, plain;
  ParameterArena arena(scaled), plain_arena(plain);
  Adam adam(arena, {.max_gradient_norm = 0.5}), plain_adam(plain_arena, {.max_gradient_norm = 0.5});
  adam.scale_losses();
  give_scaled_gradients(scaled, adam, 7);
  give_gradients(plain, 7);
  adam.step(0.01);
  plain_adam.step(0.01);
  EXPECT_LT(relative_error(to_double(arena.values()), to_double(plain_arena.values())), 1e-6);
}

TEST(LossScaling, WithoutF16NothingOfItIsSaved) {
  Three module;
  ParameterArena arena(module);
  EXPECT_FALSE(Adam(arena, {}).state().contains("adam.loss_scale"));
}

// ---- averaged weights ----

TEST(WeightAverage, FollowsItsRecurrenceAndTradesPlacesWhileInUse) {
  Three module;
  ParameterArena arena(module);
  WeightAverage average(arena, 0.9f);
  reference::Vector expected = to_double(arena.values());
  for (int t = 1; t <= 200; ++t) {
    arena.values().copy_from(
        to_tensor(reference::random_vector(arena.size(), static_cast<uint64_t>(t)), {arena.size()}));
    average.update(t);
    const double d = std::min(0.9, (1.0 + t) / (10.0 + t));
    const reference::Vector now = to_double(arena.values());
    for (size_t i = 0; i < now.size(); ++i) expected[i] = d * expected[i] + (1 - d) * now[i];
  }
  const std::vector<float> weights = arena.values().to_vector();
  {
    const WeightAverage::InUse in_use(average);
    EXPECT_LT(relative_error(to_double(arena.values()), expected), 1e-5);
    EXPECT_EQ(module.a_.variable.value().to_vector()[0], arena.values().to_vector()[0]);
  }
  EXPECT_EQ(arena.values().to_vector(), weights);
}

}  // namespace
}  // namespace avs
