// Adam over a ParameterArena, with L2 on the decaying part only. The formula and the two places of epsilon stand in
// tensor/ops/adam.h; the defaults are PAPER section 5's: learning rate 1e-4 (given per step), L2 1e-4 added to the
// gradient, Keras' epsilon 1e-7 outside the corrected root.
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

  // Gathers the gradients that backward() recorded and moves the parameters, each at learning_rate times its own
  // factor; t counts from 1. NumericError naming the parameter, everything as it was, when a gradient is NaN or
  // infinite.
  void step(double learning_rate);

  // The same in two parts, for a step that is captured once and replayed (cuda/api.h): prepare() writes what differs from
  // step to step to the device, apply() does the rest there without a word from the host. Nothing checks the gradients:
  // sum_squares() of them is finite if and only if all are.
  void prepare(double learning_rate);
  void apply();
  bool can_be_captured() const { return options_.max_gradient_norm == 0; }  // the norm is asked for on the host
  const Tensor& gradients() { return parameters_.gradients(); }
  const std::string& parameter_at(int64_t index) const { return parameters_.path_at(index); }

  int64_t steps() const { return steps_; }
  double l2_penalty() const;  // (lambda / 2) * sum of the decaying parameters' squares, as of now

  // Moments keyed by parameter path: "adam.m/stage1.conv.weight", "adam.v/…". The step count is the caller's to keep.
  NamedTensors state() const;
  void load_state(const NamedTensors& state, int64_t steps);

 private:
  void limit_gradient_norm();
  void move();

  ParameterArena& parameters_;
  AdamOptions options_;
  Tensor m_, v_;
  std::vector<Tensor> scalars_;  // for each range of the arena, f32 [2] = learning rate, step
  int64_t steps_ = 0;
};

}  // namespace avs
