// Adam over a ParameterArena, with L2 on the decaying part only. The formula and the two places of epsilon stand in
// tensor/ops/adam.h; the defaults are those of docs/paper.md#training: learning rate 1e-4 (given per step), L2 1e-4 added to
// the gradient, Keras' epsilon 1e-7 on the uncorrected root.
#pragma once

#include "layers/optim/parameter_arena.h"
#include "tensor/ops/adam.h"

namespace avs {

struct AdamOptions {
  float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-7f;
  AdamEpsilon placement = AdamEpsilon::Hat;
  float l2 = 1e-4f;              // lambda of (lambda / 2) * sum of squares, decaying parameters only
  double max_gradient_norm = 0;  // above 0: gradients (without the L2 term) are scaled down to this norm at most
};

class Adam {
 public:
  Adam(ParameterArena& parameters, AdamOptions options);

  // Gathers the gradients that backward(loss_scale()) recorded and moves the parameters, each at learning_rate times its
  // own factor; t counts from 1. NumericError naming the parameter, everything as it was, when a gradient is NaN or
  // infinite; under scale_losses() such a step is skipped instead, until the scale falls below 1.
  void step(double learning_rate);

  // For activations in f16: the loss's gradient is multiplied by a scale that finds its own size (tensor/ops/adam.h). To be
  // called before the first step; the scale travels with state().
  void scale_losses();
  bool scales_losses() const { return loss_scaling_ == LossScale::Dynamic; }
  Tensor loss_scale() const {
    return scaling_.view(0, {1});
  }  // on the device: where a loss's backward() starts; 1 without

  // The same in two parts, for a step that is captured once and replayed (cuda/api.h): prepare() writes what differs from
  // step to step to the device, apply() does the rest there without a word from the host, and moves nothing when a
  // gradient is not finite. What it found stays on the device for whoever asks later, and is judged by check().
  void prepare(double learning_rate);
  void apply();
  bool can_be_captured() const { return options_.max_gradient_norm == 0; }  // the norm is asked for on the host
  const Tensor& scaling() const { return scaling_; }                        // f32 [4]
  const Tensor& first_bad() const { return first_bad_; }                    // i32 [2]

  struct Outcome {
    int64_t first_bad = -1;  // index of the first gradient that is not finite
    double loss_scale = 1;   // for the next step
    bool skipped() const { return first_bad >= 0; }
  };
  void check(const Outcome& outcome) const;  // NumericError as step() says
  Outcome outcome() const;                   // of the last step; waits for the device

  int64_t steps() const { return steps_; }
  double l2_penalty() const;  // (lambda / 2) * sum of the decaying parameters' squares, as of now
  double l2_penalty_of(double squares) const { return 0.5 * static_cast<double>(options_.l2) * squares; }
  Tensor decaying_squares() const;  // [1] on the device: what l2_penalty_of() takes

  // Moments keyed by parameter path: "adam.m/stage1.conv.weight", "adam.v/…", and under scale_losses() "adam.loss_scale".
  // The step count is the caller's to keep.
  NamedTensors state() const;
  void load_state(const NamedTensors& state, int64_t steps);

 private:
  void limit_gradient_norm();
  void look_at_gradients();
  void move();

  ParameterArena& parameters_;
  AdamOptions options_;
  Tensor m_, v_;
  std::vector<Tensor> scalars_;  // for each range of the arena, f32 [2] = learning rate, step
  LossScale loss_scaling_ = LossScale::Fixed;
  Tensor scaling_, first_bad_;
  int64_t steps_ = 0;
};

}  // namespace avs
