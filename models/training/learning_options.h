// Options of training in both phases. Programs fill them from flags (apps/train/options.h).
#pragma once

#include <cstdint>
#include <string>

#include "layers/mixup.h"
#include "layers/optim/adam.h"
#include "layers/optim/schedule.h"

namespace avs {

// The defaults are those of Phase I: docs/paper.md#training.
struct LearningOptions {
  int64_t epochs = 30;
  int64_t batch = 32;
  double learning_rate = 1e-4;
  std::string schedule = "constant";
  double warm_up = 0.05;
  std::string mixup = "author";
  double mixup_alpha = 0.4;
  double l2 = 1e-4;
  double adam_epsilon = 1e-7;
  std::string epsilon_placement = "hat";
  double max_gradient_norm = 0;
  double ema = 0;
  uint64_t seed = 1;

  // Returns `epochs`; if that is 0, enough for 3,000 steps, but 20 to 300.
  int64_t epochs_of(int64_t steps_per_epoch) const;
  Schedule schedule_over(int64_t total_steps) const;
  MixupOptions mixup_options() const;
  AdamOptions adam_options() const;
};

}  // namespace avs
