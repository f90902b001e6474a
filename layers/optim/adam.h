// Adam over a ParameterArena, with L2 on the decaying part only. tensor/ops/adam.h has the formula and the two
// placements of epsilon; the defaults are those of docs/paper.md#training: learning rate 1e-4 (given per step), L2 1e-4
// added to the gradient, Keras' epsilon 1e-7 on the uncorrected root.
#pragma once

#include "layers/optim/parameter_arena.h"
#include "tensor/ops/adam.h"

namespace avs {

struct AdamOptions {
  float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-7f;
  AdamEpsilon placement = AdamEpsilon::Hat;
  float l2 = 1e-4f;              // lambda of (lambda / 2) * sum of squares, decaying parameters only
  double max_gradient_norm = 0;  // above 0: gradients (without the L2 term) are scaled down to at most this norm
};

class Adam {
 public:
  Adam(ParameterArena& parameters, AdamOptions options);

  // Gathers the gradients that backward(loss_scale()) recorded and updates the parameters, each at learning_rate times
  // its own factor; t counts from 1. If a gradient is NaN or infinite, step() updates nothing and throws a NumericError
  // that names the parameter; after scale_losses() it throws only if the loss scale has fallen below 1.
  void step(double learning_rate);

  // Turns on dynamic loss scaling, for activations in f16 (tensor/ops/adam.h). Must be called before the first step;
  // state() includes the scale.
  void scale_losses();
  bool scales_losses() const { return loss_scaling_ == LossScale::Dynamic; }
  // The gradient that a loss's backward() starts from, on the device; 1 without loss scaling.
  Tensor loss_scale() const { return scaling_.view(0, {1}); }

  // step() in parts, for a step that is captured once and replayed (cuda/api.h): prepare() writes the values of this step
  // to the device; apply() computes there and updates nothing when a gradient is not finite; the host asks for the
  // outcome() and passes it to check().
  void prepare(double learning_rate);
  void apply();
  // limiting the norm synchronises with the host
  bool can_be_captured() const { return options_.max_gradient_norm == 0; }
  const Tensor& scaling() const { return scaling_; }      // f32 [4]
  const Tensor& first_bad() const { return first_bad_; }  // i32 [2]

  struct Outcome {
    int64_t first_bad = -1;  // index of the first gradient that is not finite
    double loss_scale = 1;   // for the next step
    bool skipped() const { return first_bad >= 0; }
  };
  void check(const Outcome& outcome) const;  // NumericError under the conditions of step()
  Outcome outcome() const;                   // the last step's outcome; waits for the device

  int64_t steps() const { return steps_; }
  double l2_penalty() const;  // (lambda / 2) * sum of squares of the decaying parameters, at their current values
  double l2_penalty_of(double squares) const { return 0.5 * static_cast<double>(options_.l2) * squares; }
  Tensor decaying_squares() const;  // [1] on the device: the argument of l2_penalty_of()

  // Moments keyed by parameter path: "adam.m/stage1.conv.weight", "adam.v/…", and under scale_losses()
  // "adam.loss_scale". The caller saves the step count.
  NamedTensors state() const;
  void load_state(const NamedTensors& state, int64_t steps);

 private:
  void limit_gradient_norm();
  void look_at_gradients();
  void move();

  ParameterArena& parameters_;
  AdamOptions options_;
  Tensor m_, v_;
  std::vector<Tensor> scalars_;  // for each range of the arena: f32 [2] = learning rate, step
  LossScale loss_scaling_ = LossScale::Fixed;
  Tensor scaling_, first_bad_;
  int64_t steps_ = 0;
};

}  // namespace avs
