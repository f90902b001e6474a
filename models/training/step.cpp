#include "models/training/step.h"

#include <cmath>

#include "autograd/functions.h"
#include "autograd/profile.h"
#include "models/training/non_finite.h"
#include "models/training/run_log.h"

namespace avs {

StepTensors run_step(Adam& optimizer, const Forward& forward) {
  constexpr float kClip = 1e-7f;  // limits both arguments of the divergence, as in Keras (docs/paper.md#training)
  const Scores scores = forward();
  const Variable loss = softmax_kl(scores.logits, scores.targets, kClip);  // [1]
  loss.backward(optimizer.loss_scale());  // from 1, in f16 from more; fills the parameters' gradients, frees the graph
  optimizer.apply();                      // gathers them, adds L2, moves the parameters
  profile::charge("adam", "", profile::Direction::Forward);
  return {loss.value(), scores.logits.value(), scores.targets};
}

StepResult result_of(const Adam& optimizer, const Adam::Outcome& outcome, double loss, const Tensor& logits,
                     const Tensor& targets, const Reason& why) {
  if (!std::isfinite(loss)) throw NumericError(str("the loss is ", loss, ": ", why()));
  optimizer.check(outcome);
  return {loss, accuracy_of(logits, targets), targets.shape()[0], outcome.skipped(), outcome.loss_scale};
}

StepResult take_step(Adam& optimizer, double learning_rate, const Forward& forward, const Reason& why) {
  optimizer.prepare(learning_rate);
  const StepTensors step = run_step(optimizer, forward);
  return result_of(optimizer, optimizer.outcome(), static_cast<double>(step.loss.item()), step.logits, step.targets,
                   why);
}

MixupPlan plan_of(const StepSettings& settings, int64_t n) {
  Rng rng = Rng(settings.seed).fork("mixup", static_cast<uint64_t>(settings.step));
  return plan_mixup(n, settings.mixup, rng);
}

void begin_step(Backbone& model, const StepSettings& settings) {
  model.train();
  model.random().set(settings.seed, static_cast<uint64_t>(settings.step));
}

Scores scores_of(Backbone& model, const Samples& samples, const Tensor& targets) {
  const Tensor y = ops::mixup(targets.to(model.device()), samples.mixup);  // the samples' lambdas
  return {model.run(samples).logits, y};
}

StepResult train_step(Backbone& model, Adam& optimizer, Samples samples, const Tensor& targets,
                      const StepSettings& settings) {
  samples.mixup = plan_of(settings, samples.x.shape()[0]).to(model.device());  // the author's scheme makes 2n rows of n
  begin_step(model, settings);
  return take_step(
      optimizer, settings.learning_rate, [&] { return scores_of(model, samples, targets); },
      [&] { return find_non_finite(model, samples); });
}

}  // namespace avs
