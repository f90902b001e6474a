// One step of Phase I.
#pragma once

#include <optional>
#include <utility>

#include "layers/mixup.h"
#include "layers/optim/adam.h"
#include "models/backbone.h"

namespace avs {

// Both arguments of the divergence are clipped from below, as Keras does (docs/paper.md#training).
inline constexpr float kKlClip = 1e-7f;

struct StepSettings {
  uint64_t seed = 1;
  int64_t step = 0;  // counted from 0: mixup and dropout are functions of (seed, step)
  double learning_rate = 1e-4;
  MixupOptions mixup;
};

struct StepResult {
  double loss = 0, accuracy = 0;  // over the mixed rows
  int64_t rows = 0;
  bool skipped = false;           // a gradient overflowed f16: nothing moved
  double loss_scale = 1;          // for the next step
  std::optional<double> l2 = {};  // Adam::l2_penalty() after it, where it is known without asking

  void set(const Adam::Outcome& outcome) {
    skipped = outcome.skipped();
    loss_scale = outcome.loss_scale;
  }
};

// A batch of inputs [n, ...], f32 or u8: as they are, or pictures of which boxes are to be resized.
struct StepInputs {
  StepInputs(Tensor x, PictureBoxes of_x = {}) : values(std::move(x)), resized(std::move(of_x)) {}
  Tensor values;
  PictureBoxes resized;
};
// What mixup does on the way: the network's preprocessing, and the boxes, on its device.
MixupOutput preparation_of(const Backbone& model, const StepInputs& inputs);

// targets [n, classes] f32. NumericError, parameters untouched: the loss or a gradient is
// not finite; the message names the stage or parameter where that begins. A gradient that only overflowed f16 skips the
// step and halves the loss scale.
StepResult train_step(Backbone& model, Adam& optimizer, const StepInputs& inputs, const Tensor& targets,
                      const StepSettings& settings);

}  // namespace avs
