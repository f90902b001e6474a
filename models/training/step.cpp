// One training step, start to finish. Everything else in apps/train is bookkeeping.
#include "models/training/step.h"

#include <cmath>

#include "autograd/functions.h"
#include "autograd/profile.h"
#include "models/training/non_finite.h"
#include "models/training/run_log.h"

namespace avs {

MixupOutput preparation_of(const Backbone& model, const StepInputs& inputs) {
  MixupOutput output = model.preparation();
  output.resized = inputs.resized;
  if (inputs.resized.boxes.defined()) output.resized.boxes = inputs.resized.boxes.to(model.device());
  return output;
}

StepResult train_step(Backbone& model, Adam& optimizer, const StepInputs& inputs, const Tensor& targets,
                      const StepSettings& settings) {
  Rng rng = Rng(settings.seed).fork("mixup", static_cast<uint64_t>(settings.step));
  const MixupPlan plan = plan_mixup(inputs.values.shape()[0], settings.mixup, rng);
  const Device device = model.device();
  // [rows, ...]: n rows become 2n under the author's scheme; the network's preprocessing of pixels is done on the way
  const Tensor x = mix(inputs.values.to(device), plan, preparation_of(model, inputs));
  const Tensor y = mix(targets.to(device), plan);  // [rows, classes], with the same lambdas
  profile::charge("mixup", "", profile::Direction::Forward);

  model.train();
  model.random().set(settings.seed, static_cast<uint64_t>(settings.step));
  const Variable logits = model.run_prepared(Variable(x)).logits;  // records the graph
  const Variable loss = softmax_kl(logits, y, kKlClip);            // [1]
  const double value = static_cast<double>(loss.value().item());
  if (!std::isfinite(value)) throw NumericError(str("the loss is ", value, ": ", find_non_finite(model, x)));

  loss.backward(optimizer.loss_scale());   // from 1, in f16 from more; fills the parameters' gradients, frees the graph
  optimizer.step(settings.learning_rate);  // gathers them, adds L2, moves the parameters
  profile::charge("adam", "", profile::Direction::Forward);
  StepResult result{value, accuracy_of(logits.value(), y), plan.rows()};
  if (optimizer.scales_losses()) result.set(optimizer.outcome());
  return result;
}

}  // namespace avs
