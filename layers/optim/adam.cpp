#include "layers/optim/adam.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tensor/ops/reduce.h"

namespace avs {

Adam::Adam(ParameterArena& parameters, AdamOptions options)
    : parameters_(parameters),
      options_(options),
      m_(Tensor::zeros({parameters.size()}, DType::F32, parameters.values().device())),
      v_(Tensor::zeros({parameters.size()}, DType::F32, parameters.values().device())) {
  AVS_CHECK(UsageError, options.l2 >= 0, "Adam: l2 must not be negative, got ", options.l2);
  AVS_CHECK(UsageError, options.epsilon > 0, "Adam: epsilon must be above 0, got ", options.epsilon);
}

void Adam::step(double learning_rate) {
  parameters_.gather_gradients();
  const int64_t bad = ops::first_non_finite(parameters_.gradients());
  AVS_CHECK(NumericError, bad < 0, "the gradient of '", parameters_.path_at(std::max<int64_t>(bad, 0)),
            "' is not finite");
  if (options_.max_gradient_norm > 0) limit_gradient_norm();
  prepare(learning_rate);
  move();
}

void Adam::prepare(double learning_rate) {
  ++steps_;
  const Device device = parameters_.values().device();
  const auto& ranges = parameters_.ranges();
  for (size_t i = 0; i < ranges.size(); ++i) {
    const std::array<float, 2> host = {static_cast<float>(learning_rate * ranges[i].learning_rate_factor),
                                       static_cast<float>(steps_)};
    if (scalars_.size() == i) scalars_.push_back(Tensor::empty({2}, DType::F32, device));
    context(device).copy_from_host(scalars_[i].raw(), host.data(), sizeof(host));
  }
}

void Adam::apply() {
  parameters_.gather_gradients();
  move();
}

void Adam::move() {
  const auto& ranges = parameters_.ranges();
  for (size_t i = 0; i < ranges.size(); ++i) {
    const ParameterArena::Range& range = ranges[i];
    const auto part = [&](const Tensor& arena) { return arena.view(range.first, {range.count}); };
    Tensor values = part(parameters_.values()), m = part(m_), v = part(v_);
    ops::adam(values, part(parameters_.gradients()), m, v, scalars_[i],
              {options_.beta1, options_.beta2, options_.epsilon, options_.placement,
               range.decay == Decay::Yes ? options_.l2 : 0.0f});
  }
}

void Adam::limit_gradient_norm() {
  Tensor& gradients = parameters_.gradients();
  const double norm = std::sqrt(static_cast<double>(ops::sum_squares(gradients).item()));
  if (norm <= options_.max_gradient_norm) return;
  // g + (s - 1) g = s g, with the one in-place update the engine has: average = decay * average + (1 - decay) * value.
  const float scale = static_cast<float>(options_.max_gradient_norm / norm);
  ops::ema(gradients, Tensor::zeros({gradients.size()}, DType::F32, gradients.device()), scale);
}

double Adam::l2_penalty() const {
  if (parameters_.decaying_size() == 0) return 0;
  const Tensor decaying = parameters_.values().view(0, {parameters_.decaying_size()});
  return 0.5 * static_cast<double>(options_.l2) * static_cast<double>(ops::sum_squares(decaying).item());
}

NamedTensors Adam::state() const {
  NamedTensors state = parameters_.views_of(m_, "adam.m/");
  state.merge(parameters_.views_of(v_, "adam.v/"));
  return state;
}

void Adam::load_state(const NamedTensors& state, int64_t steps) {
  parameters_.copy_into(m_, state, "adam.m/");
  parameters_.copy_into(v_, state, "adam.v/");
  steps_ = steps;
}

}  // namespace avs
