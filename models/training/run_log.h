// The lines of metrics.jsonl and the choice of the best epoch, shared by both phases (the keys: models/training/metrics.h).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "models/training/metrics.h"

namespace avs {

// Sums over training rows since the last epoch (or log interval) began.
struct TrainingSums {
  double loss = 0, correct = 0;  // loss: sum over rows
  int64_t rows = 0;

  void add(double mean_loss, double mean_accuracy, int64_t more_rows) {
    loss += mean_loss * static_cast<double>(more_rows);
    correct += mean_accuracy * static_cast<double>(more_rows);
    rows += more_rows;
  }
  double mean_loss() const { return rows == 0 ? 0 : loss / static_cast<double>(rows); }
  double accuracy() const { return rows == 0 ? 0 : correct / static_cast<double>(rows); }
};

struct LogLine {
  int64_t epoch = 0, step = 0;  // from 1
  TrainingSums sums;
  double l2 = 0, learning_rate = 0, seconds = 0;
  size_t peak_bytes = 0;
  double loss_scale = 0;  // f16 only; 0: there is none
};

std::string step_line(const LogLine& line);
std::string epoch_line(const LogLine& line, const Evaluation* validation, bool is_best);  // null: no validation clips

// Wall time of a run over all its resumptions.
class RunClock {
 public:
  explicit RunClock(double seconds_before = 0) : before_(seconds_before) {}
  double seconds() const {
    return before_ + std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  double before_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// The share of rows whose largest score is where the target's largest value is. Both [n, classes].
double accuracy_of(const Tensor& scores, const Tensor& targets);

Tensor one_hot(const std::vector<int64_t>& labels, int64_t classes);  // [n, classes] f32

}  // namespace avs
