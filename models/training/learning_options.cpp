#include "models/training/learning_options.h"

#include <algorithm>

namespace avs {

int64_t LearningOptions::epochs_of(int64_t steps_per_epoch) const {
  constexpr int64_t kSteps = 3000, kFewest = 20, kMost = 300;
  return epochs != 0 ? epochs : std::clamp((kSteps + steps_per_epoch - 1) / steps_per_epoch, kFewest, kMost);
}

Schedule LearningOptions::schedule_over(int64_t total_steps) const {
  return {schedule_of(schedule), learning_rate, total_steps, warm_up};
}

MixupOptions LearningOptions::mixup_options() const { return {mixup_scheme_of(mixup), mixup_alpha}; }

AdamOptions LearningOptions::adam_options() const {
  return {.epsilon = static_cast<float>(adam_epsilon),
          .placement = epsilon_placement == "hat" ? AdamEpsilon::Hat : AdamEpsilon::Corrected,
          .l2 = static_cast<float>(l2),
          .max_gradient_norm = max_gradient_norm};
}

}  // namespace avs
