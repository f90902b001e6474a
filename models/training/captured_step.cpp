#include "models/training/captured_step.h"

#include "models/training/non_finite.h"

namespace avs {

bool CapturedStep::takes(const Samples& samples, const Tensor& targets) const {
  if (!graph_) return optimizer_.can_be_captured();
  return samples.x.shape() == samples_.x.shape() && samples.x.dtype() == samples_.x.dtype() &&
         targets.shape() == targets_.shape() && samples.boxes.defined() == samples_.boxes.defined() &&
         samples.boxes.height == samples_.boxes.height && samples.boxes.width == samples_.boxes.width;
}

std::optional<StepResult> CapturedStep::start(const Samples& samples, const Tensor& targets,
                                              const StepSettings& settings) {
  Samples mixed = samples;
  mixed.mixup = plan_of(settings, samples.x.shape()[0]);
  if (!graph_) allocate(mixed, targets);
  upload_->send(mixed.x, samples_.x);
  if (samples_.boxes.defined()) samples_.boxes.boxes.copy_from(mixed.boxes.boxes);
  samples_.mixup.copy_from(mixed.mixup);
  targets_.copy_from(targets);
  begin_step(model_, settings);
  // When the loss turns out not to be finite, the next step has begun, and samples_ holds its batch, not this one. But
  // nothing has moved, so that the network can still be asked.
  return graph_->start(settings.learning_rate, [this, mixed] { return find_non_finite(model_, mixed); });
}

std::optional<StepResult> CapturedStep::finish() { return graph_ ? graph_->finish() : std::nullopt; }

void CapturedStep::allocate(const Samples& samples, const Tensor& targets) {
  const Device device = model_.device();
  samples_ = samples;
  samples_.x = Tensor::empty(samples.x.shape(), samples.x.dtype(), device);
  if (samples.boxes.defined()) samples_.boxes.boxes = Tensor::empty(samples.boxes.boxes.shape(), DType::F32, device);
  samples_.mixup = samples.mixup.to(device);
  targets_ = Tensor::empty(targets.shape(), DType::F32, device);
  upload_ = cuda::upload(device, samples_.x.bytes());
  graph_.emplace(device, optimizer_, samples.mixup.rows(), targets.shape()[1],
                 [this] { return scores_of(model_, samples_, targets_); });
}

}  // namespace avs
