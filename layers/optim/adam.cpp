#include "layers/optim/adam.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tensor/holders.h"
#include "tensor/ops/reduce.h"

namespace avs {
namespace {

constexpr const char* kLossScaleKey = "adam.loss_scale";

// Returns the initial `scaling` of ops::update_loss_scale().
Tensor scaling_from(float scale, Device device) {
  const std::array<float, 4> start = {scale, 0.0f, 0.0f, 1.0f / scale};
  return Tensor::from({4}, std::span<const float>(start), device);
}

}  // namespace

Adam::Adam(ParameterArena& parameters, AdamOptions options) : parameters_(parameters), options_(options) {
  const HolderScope scope("optimizer");
  for (Tensor* moment : {&m_, &v_})
    *moment = Tensor::zeros({parameters.size()}, DType::F32, parameters.values().device());
  scaling_ = scaling_from(1.0f, parameters.values().device());
  first_bad_ = Tensor::empty({2}, DType::I32, parameters.values().device());
  AVS_CHECK(UsageError, options.l2 >= 0, "Adam: l2 must not be negative, got ", options.l2);
  AVS_CHECK(UsageError, options.epsilon > 0, "Adam: epsilon must be above 0, got ", options.epsilon);
}

void Adam::scale_losses() {
  loss_scaling_ = LossScale::Dynamic;
  scaling_.copy_from(scaling_from(kFirstScale, scaling_.device()));
}

void Adam::step(double learning_rate) {
  prepare(learning_rate);
  apply();
  check(outcome());
}

// Writes to the device what the kernels of move() read: whether to update, and the factor of the gradients.
void Adam::look_at_gradients() {
  first_bad_.copy_from(ops::find_non_finite(parameters_.gradients()));
  ops::update_loss_scale(scaling_, first_bad_, loss_scaling_);
}

Adam::Outcome Adam::outcome() const {
  const Tensor words = first_bad_.to(kCpu);
  return {ops::index_of(words.data<int32_t>()), scales_losses() ? static_cast<double>(loss_scale().item()) : 1.0};
}

void Adam::check(const Outcome& outcome) const {
  if (outcome.first_bad < 0) return;
  const std::string gradient = "the gradient of '" + parameters_.path_at(outcome.first_bad) + "' is not finite";
  AVS_CHECK(NumericError, scales_losses(), gradient);
  AVS_CHECK(NumericError, outcome.loss_scale >= 1, gradient, " however small the loss is made: the loss scale fell to ",
            outcome.loss_scale, ", so this is no overflow of f16 but a training that diverges");
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
  look_at_gradients();
  if (options_.max_gradient_norm > 0 && !outcome().skipped()) limit_gradient_norm();
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
               range.decay == Decay::Yes ? options_.l2 : 0.0f},
              scaling_);
  }
}

// Lowers the factor by which adam() multiplies every gradient; until now it is 1 / loss scale.
void Adam::limit_gradient_norm() {
  Tensor factor = scaling_.view(3, {1});
  const float unscaled = factor.item();
  const double norm =
      static_cast<double>(unscaled) * std::sqrt(static_cast<double>(ops::sum_squares(parameters_.gradients()).item()));
  if (norm > options_.max_gradient_norm) factor.fill(unscaled * static_cast<float>(options_.max_gradient_norm / norm));
}

double Adam::l2_penalty() const {
  return parameters_.decaying_size() == 0 ? 0 : l2_penalty_of(static_cast<double>(decaying_squares().item()));
}

Tensor Adam::decaying_squares() const {
  if (parameters_.decaying_size() == 0) return Tensor::zeros({1}, DType::F32, parameters_.values().device());
  return ops::sum_squares(parameters_.values().view(0, {parameters_.decaying_size()}));
}

NamedTensors Adam::state() const {
  NamedTensors state = parameters_.views_of(m_, "adam.m/");
  state.merge(parameters_.views_of(v_, "adam.v/"));
  if (scales_losses()) state[kLossScaleKey] = scaling_;
  return state;
}

void Adam::load_state(const NamedTensors& state, int64_t steps) {
  parameters_.copy_into(m_, state, "adam.m/");
  parameters_.copy_into(v_, state, "adam.v/");
  // A run that continues in f16 after steps in another type starts from the initial scale.
  if (const auto scale = state.find(kLossScaleKey); scale != state.end() && scales_losses()) {
    AVS_CHECK(DataError, scale->second.shape() == scaling_.shape() && scale->second.dtype() == DType::F32,
              "the saved loss scale is ", scale->second.shape(), " ", scale->second.dtype(), ", expected [4] f32");
    scaling_.copy_from(scale->second);
  }
  steps_ = steps;
}

}  // namespace avs
