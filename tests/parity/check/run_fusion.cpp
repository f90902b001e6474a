// Phase II from its initial weights to convergence, and the metrics of an evaluation.
#include "models/training/fusion_training.h"
#include "tests/parity/check/kinds.h"

namespace avs::parity {
namespace {

std::vector<std::string> names_of(const char* prefix, int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(str(prefix, i));
  return names;
}

std::vector<int64_t> labels_of(const Case& c) {
  const Tensor& labels = c.input("labels");
  return {labels.data<int32_t>(), labels.data<int32_t>() + labels.size()};
}

NamedTensors figures_of(const Evaluation& e) {
  const auto classes = static_cast<int64_t>(e.classes.size());
  std::vector<float> confusion, accuracies;
  for (const auto& row : e.confusion) confusion.insert(confusion.end(), row.begin(), row.end());
  for (const ClassScore& score : e.per_class) accuracies.push_back(static_cast<float>(score.accuracy.value_or(0)));
  const auto number = [](double value) { return Tensor::full({1}, static_cast<float>(value)); };
  return {{"micro_accuracy", number(e.micro_accuracy)},
          {"macro_accuracy", number(e.macro_accuracy)},
          {"log_loss", number(e.log_loss)},
          {"macro_log_loss", number(e.macro_log_loss)},
          {"class_accuracy", Tensor::from({classes}, std::span<const float>(accuracies))},
          {"confusion", Tensor::from({classes, classes}, std::span<const float>(confusion))}};
}

}  // namespace

NamedTensors run_metrics(const Case& c) {
  const Tensor& p = c.input("probabilities");
  return figures_of(evaluate(p, names_of("clip", p.shape()[0]), labels_of(c), names_of("class", p.shape()[1])));
}

NamedTensors run_fusion(const Case& c) {
  const FusionOptions fusion = fusion_options_from_json(c.spec.at("fusion").dump());
  FusionData data;
  data.train.labels = labels_of(c);
  data.train.ids = names_of("clip", static_cast<int64_t>(data.train.labels.size()));
  data.classes = names_of("class", fusion.classes);
  for (const std::string& name : fusion.inputs) data.train.x.push_back(c.input(name));
  LearningOptions learning;
  learning.epochs = c.spec.at("epochs").get<int64_t>();
  learning.batch = data.train.size();
  learning.learning_rate = c.spec.at("learning_rate").get<double>();
  learning.schedule = "cosine";
  learning.mixup = "none";
  learning.l2 = c.spec.at("l2").get<double>();
  learning.epsilon_placement = "corrected";
  const TrainedFusion trained = train_fusion(data, fusion, learning, [](const std::string&) {});
  const Tensor probabilities = fuse(*trained.net, data.train.x);
  NamedTensors outputs = figures_of(evaluate(probabilities, data.train.ids, data.train.labels, data.classes));
  outputs["probabilities"] = probabilities;
  for (const Parameter* p : trained.net->parameters()) outputs["param/" + p->path] = p->variable.value();
  return outputs;
}

}  // namespace avs::parity
