#include "apps/train/captured_step.h"

#include <cmath>

#include "apps/train/non_finite.h"
#include "apps/train/run_log.h"
#include "autograd/functions.h"
#include "tensor/ops/mixup.h"

namespace avs {

StepResult CapturedStep::run(const Tensor& inputs, const Tensor& targets, const StepSettings& settings) {
  Rng rng = Rng(settings.seed).fork("mixup", static_cast<uint64_t>(settings.step));
  const MixupPlan plan = plan_mixup(inputs.shape()[0], settings.mixup, rng);
  if (graph_ == nullptr) make_room(inputs, targets, plan);
  if (!fits(inputs, targets, plan)) return train_step(model_, optimizer_, inputs, targets, settings);

  inputs_.copy_from(inputs);
  targets_.copy_from(targets);
  first_.copy_from(Tensor::from({plan.rows()}, std::span<const int32_t>(plan.first)));
  second_.copy_from(Tensor::from({plan.rows()}, std::span<const int32_t>(plan.second)));
  lambda_.copy_from(Tensor::from({plan.rows()}, std::span<const float>(plan.lambda)));
  model_.train();
  model_.random().set(settings.seed, static_cast<uint64_t>(settings.step));
  optimizer_.prepare(settings.learning_rate);
  if (graph_ == nullptr) {
    graph_ = cuda::capture(model_.device(), [this] { record(); });
  } else {
    graph_->replay();
  }

  const double loss = static_cast<double>(loss_.item());
  if (!std::isfinite(loss))
    throw NumericError(str("the loss is ", loss, ": ", find_non_finite(model_, mix(inputs_, plan))));
  const Adam::Outcome outcome = optimizer_.outcome();
  optimizer_.check(outcome);
  StepResult result{loss, accuracy_of(logits_, mixed_targets_), plan.rows()};
  result.set(outcome);
  return result;
}

void CapturedStep::make_room(const Tensor& inputs, const Tensor& targets, const MixupPlan& plan) {
  const Device device = model_.device();
  const int64_t rows = plan.rows(), classes = targets.shape()[1];
  inputs_ = Tensor::empty(inputs.shape(), inputs.dtype(), device);
  targets_ = Tensor::empty(targets.shape(), DType::F32, device);
  first_ = Tensor::empty({rows}, DType::I32, device);
  second_ = Tensor::empty({rows}, DType::I32, device);
  lambda_ = Tensor::empty({rows}, DType::F32, device);
  loss_ = Tensor::empty({1}, DType::F32, device);
  logits_ = Tensor::empty({rows, classes}, DType::F32, device);
  mixed_targets_ = Tensor::empty({rows, classes}, DType::F32, device);
}

bool CapturedStep::fits(const Tensor& inputs, const Tensor& targets, const MixupPlan& plan) const {
  return optimizer_.can_be_captured() && inputs.shape() == inputs_.shape() && inputs.dtype() == inputs_.dtype() &&
         targets.shape() == targets_.shape() && plan.rows() == lambda_.size();
}

// The body of train_step(), its results copied to where the host looks for them.
void CapturedStep::record() {
  constexpr float kKlClip = 1e-7f;  // PAPER section 5
  const Tensor y = ops::mixup(targets_, first_, second_, lambda_);
  const Variable logits = model_.run(Variable(ops::mixup(inputs_, first_, second_, lambda_))).logits;
  const Variable loss = softmax_kl(logits, y, kKlClip);
  loss.backward(optimizer_.loss_scale());
  optimizer_.apply();
  loss_.copy_from(loss.value());
  logits_.copy_from(logits.value());
  mixed_targets_.copy_from(y);
}

}  // namespace avs
