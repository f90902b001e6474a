// The small rules of training: learning rates, averaged weights, mixup, one step of Adam.
#include "layers/mixup.h"
#include "layers/optim/schedule.h"
#include "layers/optim/weight_average.h"
#include "tensor/ops/adam.h"
#include "tests/parity/check/kinds.h"

namespace avs::parity {
namespace {

class Weights final : public Module {
 public:
  explicit Weights(const Tensor& initial) { param("w", initial.clone()); }
};

template <typename T>
Tensor as_floats(const std::vector<T>& values) {
  const std::vector<float> narrow(values.begin(), values.end());
  return Tensor::from({static_cast<int64_t>(narrow.size())}, std::span<const float>(narrow));
}

Tensor as_floats(const Tensor& indices) {
  return as_floats(std::vector<int32_t>(indices.data<int32_t>(), indices.data<int32_t>() + indices.size()));
}

}  // namespace

NamedTensors run_schedule(const Case& c) {
  Schedule schedule;
  schedule.kind = schedule_of(c.spec.at("schedule").get<std::string>());
  schedule.peak = c.spec.at("peak").get<double>();
  schedule.total_steps = c.spec.at("total_steps").get<int64_t>();
  schedule.warm_fraction = c.spec.value("warm_fraction", schedule.warm_fraction);
  std::vector<double> rates;
  const auto steps = c.spec.at("steps").get<int64_t>();
  for (int64_t t = 0; t < steps; ++t) rates.push_back(schedule.learning_rate(t));
  return {{"rate", as_floats(rates)}};
}

NamedTensors run_average(const Case& c) {
  const Tensor& w = c.input("w");  // [1 + steps, n]: initial weights, then the weights after each step
  const int64_t n = w.shape()[1];
  Weights module(w.rows(0, 1).reshape({n}));
  ParameterArena arena(module);
  WeightAverage average(arena, c.spec.at("decay").get<float>());
  for (int64_t t = 1; t < w.shape()[0]; ++t) {
    arena.values().copy_from(w.rows(t, 1).reshape({n}));
    average.update(t);
  }
  return {{"average", average.state().at("ema/w")}};
}

NamedTensors run_mixup(const Case& c) {
  const Tensor& x = c.input("x");
  Rng rng = Rng(c.spec.at("seed").get<uint64_t>()).fork("mixup", c.spec.at("step").get<uint64_t>());
  const MixupOptions options{mixup_scheme_of(c.spec.at("scheme").get<std::string>()), c.spec.at("alpha").get<double>()};
  const MixupPlan plan = plan_mixup(x.shape()[0], options, rng);
  return {{"first", as_floats(plan.first)},
          {"second", as_floats(plan.second)},
          {"lambda", plan.lambda},
          {"y", ops::mixup(x, plan)}};
}

NamedTensors run_adam(const Case& c) {
  Tensor p = c.input("p").clone(), m = c.input("m").clone(), v = c.input("v").clone();
  const float scalars[] = {c.spec.at("learning_rate").get<float>(), c.spec.at("t").get<float>()};
  AdamSpec spec;
  spec.epsilon = c.spec.at("epsilon").get<float>();
  spec.placement = c.spec.at("placement") == "hat" ? AdamEpsilon::Hat : AdamEpsilon::Corrected;
  spec.l2 = c.spec.at("l2").get<float>();
  ops::adam(p, c.input("g"), m, v, Tensor::from({2}, std::span<const float>(scalars)), spec);
  return {{"p", p}, {"m", m}, {"v", v}};
}

}  // namespace avs::parity
