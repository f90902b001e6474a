// One step of Phase I.
#pragma once

#include "layers/mixup.h"
#include "layers/optim/adam.h"
#include "models/backbone.h"

namespace avs {

struct StepSettings {
  uint64_t seed = 1;
  int64_t step = 0;  // counted from 0: mixup and dropout are functions of (seed, step)
  double learning_rate = 1e-4;
  MixupOptions mixup;
};

struct StepResult {
  double loss = 0, accuracy = 0;  // over the mixed rows
  int64_t rows = 0;
};

// inputs [n, ...] f32 or u8, targets [n, classes] f32. NumericError, parameters untouched: the loss or a gradient is
// not finite; the message names the stage or parameter where that begins.
StepResult train_step(Backbone& model, Adam& optimizer, const Tensor& inputs, const Tensor& targets,
                      const StepSettings& settings);

}  // namespace avs
