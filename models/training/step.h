// One training step: forward, loss, backward, Adam. Both phases make every step by run_step(), alone or in a captured
// graph (models/training/step_graph.h).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "layers/mixup.h"
#include "layers/optim/adam.h"
#include "models/backbone.h"

namespace avs {

struct Scores {
  Variable logits;  // [rows, classes]
  Tensor targets;   // the same, f32
};
using Forward = std::function<Scores()>;      // records what is in front of the loss
using Reason = std::function<std::string()>;  // tells why a loss is not finite

struct StepTensors {
  Tensor loss, logits, targets;  // [1], [rows, classes], [rows, classes]
};
// The loss is KL(targets || softmax(logits)). Adam::prepare() comes before it; a gradient that is not finite moves nothing.
StepTensors run_step(Adam& optimizer, const Forward& forward);

struct StepResult {
  double loss = 0, accuracy = 0;  // over the mixed rows
  int64_t rows = 0;
  bool skipped = false;           // a gradient overflowed f16: nothing moved
  double loss_scale = 1;          // for the next step
  std::optional<double> l2 = {};  // Adam::l2_penalty() after it, where it is known without asking
};
// NumericError: the loss is not finite, or Adam::check() says so of a gradient.
StepResult result_of(const Adam& optimizer, const Adam::Outcome& outcome, double loss, const Tensor& logits,
                     const Tensor& targets, const Reason& why);

// An eager step.
StepResult take_step(Adam& optimizer, double learning_rate, const Forward& forward, const Reason& why);

// ---- Phase I ----

struct StepSettings {
  uint64_t seed = 1;
  int64_t step = 0;  // counted from 0: mixup and dropout are functions of (seed, step)
  double learning_rate = 1e-4;
  MixupOptions mixup;
};

MixupPlan plan_of(const StepSettings& settings, int64_t n);
void begin_step(Backbone& model, const StepSettings& settings);                    // training mode, dropout's seed
Scores scores_of(Backbone& model, const Samples& samples, const Tensor& targets);  // all mixed; the plan on the device

// targets [n, classes] f32. NumericError, parameters untouched: the loss or a gradient is not finite; the message names
// the stage or parameter where that begins. A gradient that only overflowed f16 skips the step and halves the loss scale.
StepResult train_step(Backbone& model, Adam& optimizer, Samples samples, const Tensor& targets,
                      const StepSettings& settings);

}  // namespace avs
