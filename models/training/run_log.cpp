#include "models/training/run_log.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace avs {
namespace {

nlohmann::ordered_json common(const char* kind, const LogLine& line) {
  return {{"kind", kind},
          {"epoch", line.epoch},
          {"step", line.step},
          {"loss", line.sums.mean_loss()},
          {"l2", line.l2},
          {"accuracy", line.sums.accuracy()},
          {"learning_rate", line.learning_rate}};
}

}  // namespace

std::string step_line(const LogLine& line) {
  nlohmann::ordered_json json = common("step", line);
  if (line.loss_scale > 0) json["loss_scale"] = line.loss_scale;
  json["seconds"] = line.seconds;
  json["peak_bytes"] = line.peak_bytes;
  return json.dump();
}

std::string epoch_line(const LogLine& line, const Evaluation* validation, bool is_best) {
  nlohmann::ordered_json json = common("epoch", line);
  if (validation != nullptr) {
    json["validation_clips"] = validation->clips;
    json["validation_micro_accuracy"] = validation->micro_accuracy;
    json["validation_macro_accuracy"] = validation->macro_accuracy;
    json["validation_log_loss"] = validation->log_loss;
  }
  json["best"] = is_best;
  json["seconds"] = line.seconds;
  json["peak_bytes"] = line.peak_bytes;
  return json.dump();
}

double accuracy_of(const Tensor& scores, const Tensor& targets) {
  const std::vector<float> s = scores.to_vector(), t = targets.to_vector();
  const int64_t rows = scores.shape()[0], classes = scores.shape()[1];
  int64_t correct = 0;
  for (int64_t i = 0; i < rows; ++i) {
    const auto largest = [&](const std::vector<float>& v) {
      const auto first = v.begin() + i * classes;
      return std::max_element(first, first + classes) - first;
    };
    if (largest(s) == largest(t)) ++correct;
  }
  return rows == 0 ? 0 : static_cast<double>(correct) / static_cast<double>(rows);
}

Tensor one_hot(const std::vector<int64_t>& labels, int64_t classes) {
  Tensor targets = Tensor::zeros({static_cast<int64_t>(labels.size()), classes});
  for (size_t i = 0; i < labels.size(); ++i)
    targets.data<float>()[static_cast<int64_t>(i) * classes + labels[i]] = 1.0f;
  return targets;
}

}  // namespace avs
