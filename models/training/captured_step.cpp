#include "models/training/captured_step.h"

#include "models/training/non_finite.h"
#include "tensor/ops/mixup.h"

namespace avs {

bool CapturedStep::takes(const StepInputs& inputs, const Tensor& targets) const {
  if (!graph_) return optimizer_.can_be_captured();
  const auto& [values, resized] = inputs;
  return values.shape() == inputs_.shape() && values.dtype() == inputs_.dtype() &&
         targets.shape() == targets_.shape() && resized.boxes.defined() == resized_.boxes.defined() &&
         resized.height == resized_.height && resized.width == resized_.width;
}

std::optional<StepResult> CapturedStep::start(const StepInputs& inputs, const Tensor& targets,
                                              const StepSettings& settings) {
  Rng rng = Rng(settings.seed).fork("mixup", static_cast<uint64_t>(settings.step));
  const MixupPlan plan = plan_mixup(inputs.values.shape()[0], settings.mixup, rng);
  if (!graph_) make_room(inputs, targets, plan);
  upload_->send(inputs.values, inputs_);
  if (resized_.boxes.defined()) resized_.boxes.copy_from(inputs.resized.boxes);
  targets_.copy_from(targets);
  first_.copy_from(Tensor::from({plan.rows()}, std::span<const int32_t>(plan.first)));
  second_.copy_from(Tensor::from({plan.rows()}, std::span<const int32_t>(plan.second)));
  lambda_.copy_from(Tensor::from({plan.rows()}, std::span<const float>(plan.lambda)));
  model_.train();
  model_.random().set(settings.seed, static_cast<uint64_t>(settings.step));
  // When the loss turns out not to be finite, the next step has begun: its batch is in inputs_, not this one. But
  // nothing has moved, so that the network can still be asked.
  return graph_->start(settings.learning_rate, [this, inputs, plan] {
    return find_non_finite(model_, mix(inputs.values.to(model_.device()), plan, preparation_of(model_, inputs)));
  });
}

std::optional<StepResult> CapturedStep::finish() { return graph_ ? graph_->finish() : std::nullopt; }

void CapturedStep::make_room(const StepInputs& inputs, const Tensor& targets, const MixupPlan& plan) {
  const Device device = model_.device();
  const int64_t rows = plan.rows();
  inputs_ = Tensor::empty(inputs.values.shape(), inputs.values.dtype(), device);
  resized_ = inputs.resized;
  if (resized_.boxes.defined()) resized_.boxes = Tensor::empty(resized_.boxes.shape(), DType::F32, device);
  upload_ = cuda::upload(device, inputs_.bytes());
  targets_ = Tensor::empty(targets.shape(), DType::F32, device);
  first_ = Tensor::empty({rows}, DType::I32, device);
  second_ = Tensor::empty({rows}, DType::I32, device);
  lambda_ = Tensor::empty({rows}, DType::F32, device);
  graph_.emplace(device, optimizer_, rows, targets.shape()[1], [this] {
    const Tensor y = ops::mixup(targets_, first_, second_, lambda_);
    const Tensor x = ops::mixup(inputs_, first_, second_, lambda_, preparation_of(model_, {inputs_, resized_}));
    return StepGraph::Scores{model_.run_prepared(Variable(x)).logits, y};
  });
}

}  // namespace avs
