// Parts shared by reports: training curves, tables and confusion matrices.
#pragma once

#include <string>
#include <vector>

#include "apps/report/chart.h"
#include "models/training/metrics.h"

namespace avs::report {

// The history of one run, read from metrics.jsonl (keys: models/training/metrics.h). Invalid lines are counted, not
// fatal: the run may still be writing.
struct RunHistory {
  Series loss, l2, training_accuracy, validation_accuracy, validation_log_loss, learning_rate;  // by epoch
  int64_t epochs = 0, steps = 0, best_epoch = 0, unreadable_lines = 0;
  double best_validation_accuracy = -1, seconds = 0;  // -1: no validation split
  int64_t peak_bytes = 0;
};
RunHistory read_history(const std::string& metrics_jsonl);

std::string run_charts(const RunHistory& history);  // loss, accuracy, learning rate side by side

std::string accuracy_figures(const Evaluation& evaluation);           // micro, macro, log losses, number of clips
std::string class_bars(const std::vector<NamedEvaluation>& methods);  // per-class accuracy of each method
std::string confusion_matrix(const Evaluation& evaluation, const std::string& caption);
std::string accuracy_table(const std::vector<NamedEvaluation>& methods);  // Table I's layout; each row's best in bold

}  // namespace avs::report
