// An exponential moving average of a model's weights, for evaluation (Polyak averaging):
//   average = d * average + (1 - d) * weights,   d = min(decay, (1 + t) / (10 + t)) at step t
// The growing d (TensorFlow's ExponentialMovingAverage) keeps the random start out of a short run's average.
// BatchNorm's running statistics are averages already, so they are not averaged again.
#pragma once

#include "layers/optim/parameter_arena.h"
#include "tensor/no_copy.h"

namespace avs {

class WeightAverage {
 public:
  WeightAverage(ParameterArena& parameters, float decay);  // 0 < decay < 1

  void update(int64_t t);  // after optimizer step t, counted from 1
  NamedTensors state() const { return parameters_.views_of(average_, "ema/"); }
  void load_state(const NamedTensors& state) { parameters_.copy_into(average_, state, "ema/"); }

  // Swaps the model's weights with the average for its lifetime. Make it before model.eval(), which may fold weights.
  class InUse : NoCopy {
   public:
    explicit InUse(WeightAverage& average) : average_(average) { average_.exchange(); }
    ~InUse() { average_.exchange(); }

   private:
    WeightAverage& average_;
  };

 private:
  void exchange();

  ParameterArena& parameters_;
  float decay_;
  Tensor average_;
};

}  // namespace avs
