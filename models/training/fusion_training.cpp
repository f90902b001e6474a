#include "models/training/fusion_training.h"

#include <numeric>
#include <optional>

#include "autograd/interrupt.h"
#include "layers/mixup.h"
#include "layers/optim/weight_average.h"
#include "models/training/run_log.h"
#include "models/training/step_graph.h"
#include "tensor/ops/softmax.h"
#include "tensor/require.h"

namespace avs {
namespace {

constexpr int64_t kInferenceRows = 1024;  // bounds the memory of a pass over a whole split

// A batch: rows of the matrices, and how they are mixed.
struct MixedRows {
  MixupPlan rows, mixing;

  MixedRows to(Device device) const { return {rows.to(device), mixing.to(device)}; }
  void copy_from(const MixedRows& batch) {
    rows.copy_from(batch.rows);
    mixing.copy_from(batch.mixing);
  }
};

// A plan that copies rows.
MixupPlan copies_of(std::span<const int64_t> rows) {
  const std::vector<int32_t> indices(rows.begin(), rows.end());
  const auto n = std::ssize(indices);
  const Tensor all = Tensor::from({n}, std::span(indices));
  return {all, all, Tensor::full({n}, 1.0f)};
}

Variable mixed(const Variable& x, const MixupPlan& plan) {
  return record("mixup", {x}, ops::mixup(x.value(), plan), [plan, n = x.shape()[0]](const Tensor& dy, const Needs&) {
    return std::vector<Tensor>{ops::mixup_backward(dy, plan, n)};
  });
}

std::vector<Tensor> all_on(Device device, const std::vector<Tensor>& matrices) {
  std::vector<Tensor> there;
  for (const Tensor& matrix : matrices) there.push_back(matrix.to(device));
  return there;
}

class FusionTrainer {
 public:
  FusionTrainer(const FusionData& data, const FusionOptions& fusion, const LearningOptions& learning, Device device)
      : data_(data),
        learning_(learning),
        device_(device),
        train_x_(all_on(device, data.train.x)),
        validation_x_(all_on(device, data.validation.x)),
        net_(placed(fusion, device)),
        arena_(*net_),
        adam_(arena_, learning.adam_options()),
        targets_(one_hot(data.train.labels, fusion.classes).to(device)),
        steps_per_epoch_((data.train.size() + learning.batch - 1) / learning.batch),
        epochs_(learning.epochs_of(steps_per_epoch_)),
        schedule_(learning.schedule_over(steps_per_epoch_ * epochs_)) {
    if (learning.ema > 0) average_.emplace(arena_, static_cast<float>(learning.ema));
  }

  int64_t epochs() const { return epochs_; }

  LogLine run_epoch(int64_t epoch) {
    const Rng rng = Rng(learning_.seed).fork("fusion epoch", static_cast<uint64_t>(epoch));
    std::vector<int64_t> order(static_cast<size_t>(data_.train.size()));
    std::iota(order.begin(), order.end(), int64_t{0});
    Rng shuffle = rng.fork("order");
    shuffle.shuffle(order);
    LogLine line;
    net_->train();
    for (int64_t first = 0; first < data_.train.size(); first += learning_.batch) {
      const auto count = static_cast<size_t>(std::min(learning_.batch, data_.train.size() - first));
      Rng mixing = rng.fork("mixup", static_cast<uint64_t>(first));
      step(std::span(order).subspan(static_cast<size_t>(first), count), mixing, line);
    }
    take(finish_step(), line);
    line.epoch = epoch + 1;
    line.step = adam_.steps();
    line.l2 = adam_.l2_penalty();
    return line;
  }

  Evaluation validate() {
    std::optional<WeightAverage::InUse> averaged;
    if (average_) averaged.emplace(*average_);
    return evaluate(fuse(*net_, validation_x_), data_.validation.ids, data_.validation.labels, data_.classes);
  }

  Tensor weights() {
    std::optional<WeightAverage::InUse> averaged;
    if (average_) averaged.emplace(*average_);
    return arena_.values().clone();
  }

  // Gives the network away, with these weights.
  std::unique_ptr<FusionNet> finish(const Tensor& weights) {
    arena_.values().copy_from(weights);
    net_->eval();
    return std::move(net_);
  }

 private:
  static std::unique_ptr<FusionNet> placed(const FusionOptions& fusion, Device device) {
    auto net = std::make_unique<FusionNet>(fusion);
    net->to(device);
    return net;
  }

  void step(std::span<const int64_t> rows, Rng& rng, LogLine& line) {
    stop_if_interrupted();
    const MixedRows batch{copies_of(rows),
                          plan_mixup(static_cast<int64_t>(rows.size()), learning_.mixup_options(), rng)};
    line.learning_rate = schedule_.learning_rate(adam_.steps());
    const bool in_graph = device_.is_cuda() && adam_.can_be_captured() &&
                          static_cast<int64_t>(rows.size()) == std::min(learning_.batch, data_.train.size());
    if (in_graph) {
      take(start_captured(batch, line.learning_rate), line);
    } else {
      take(finish_step(), line);
      const MixedRows here = batch.to(device_);
      take(take_step(
               adam_, line.learning_rate, [&] { return scores(here); }, kReason),
           line);
    }
    if (average_) average_->update(adam_.steps());
  }

  Scores scores(const MixedRows& batch) {
    std::vector<Tensor> rows;
    for (const Tensor& matrix : train_x_) rows.push_back(ops::mixup(matrix, batch.rows));
    return {mixed_logits(*net_, rows, batch.mixing), ops::mixup(ops::mixup(targets_, batch.rows), batch.mixing)};
  }

  // Batches of full size; the first is captured. The result is of the step before.
  std::optional<StepResult> start_captured(const MixedRows& batch, double learning_rate) {
    if (!graph_) {
      batch_ = batch.to(device_);
      graph_.emplace(device_, adam_, batch.mixing.rows(), targets_.shape()[1], [this] { return scores(batch_); });
    } else {
      batch_.copy_from(batch);
    }
    return graph_->start(learning_rate, kReason);
  }
  std::optional<StepResult> finish_step() { return graph_ ? graph_->finish() : std::nullopt; }

  static void take(const std::optional<StepResult>& result, LogLine& line) {
    if (result) line.sums.add(result->loss, result->accuracy, result->rows);
  }

  inline static const Reason kReason = [] { return std::string("a smaller --lr may help"); };
  const FusionData& data_;
  const LearningOptions& learning_;
  const Device device_;
  const std::vector<Tensor> train_x_, validation_x_;  // on the device
  std::unique_ptr<FusionNet> net_;
  ParameterArena arena_;
  Adam adam_;
  std::optional<WeightAverage> average_;
  Tensor targets_;
  int64_t steps_per_epoch_, epochs_;
  Schedule schedule_;
  MixedRows batch_;  // the captured step reads it
  std::optional<StepGraph> graph_;
};

}  // namespace

Variable mixed_logits(FusionNet& net, const std::vector<Tensor>& rows, const MixupPlan& mixing) {
  const bool is_affine = net.options().activation == Activation::None;
  std::vector<Variable> x;
  for (const Tensor& matrix : rows) x.emplace_back(is_affine ? matrix : ops::mixup(matrix, mixing));
  return is_affine ? mixed(net.run(x), mixing) : net.run(x);
}

Tensor fuse(FusionNet& net, const std::vector<Tensor>& x) {
  const NoGrad inference;
  net.eval();
  const int64_t n = x.front().shape()[0], classes = net.options().classes;
  Tensor probabilities = Tensor::empty({n, classes});
  for (int64_t first = 0; first < n; first += kInferenceRows) {
    const int64_t count = std::min(kInferenceRows, n - first);
    std::vector<Variable> block;
    for (const Tensor& matrix : x) block.emplace_back(matrix.rows(first, count));
    const Tensor p = ops::softmax(net.run(block).value());
    probabilities.rows(first, count).copy_from(p);
  }
  return probabilities;
}

TrainedFusion train_fusion(const FusionData& data, const FusionOptions& fusion, const LearningOptions& learning,
                           const std::function<void(const std::string&)>& write_line, Device device) {
  require<DataError>(data.train.size() > 0, "no training clip has all of the embeddings to fuse");
  FusionTrainer trainer(data, fusion, learning, device);
  TrainedFusion result;
  Tensor best_weights;
  Score best;
  const RunClock clock;
  result.epochs = trainer.epochs();
  for (int64_t epoch = 0; epoch < result.epochs; ++epoch) {
    LogLine line;
    try {
      line = trainer.run_epoch(epoch);
    } catch (NumericError& error) {
      error.add_context(str("in epoch ", epoch + 1));
      throw;
    }
    // Without validation clips the last epoch is the best there is to say.
    Evaluation validation;
    if (data.validation.size() > 0) validation = trainer.validate();
    const Score score{validation.micro_accuracy, validation.log_loss};
    const bool is_best = validation.clips == 0 || better(score, best);
    line.seconds = clock.seconds();
    line.peak_bytes = context(device).memory().peak_bytes;
    write_line(epoch_line(line, validation.clips == 0 ? nullptr : &validation, is_best));
    if (!is_best) continue;
    best = score;
    best_weights = trainer.weights();
    result.best_epoch = epoch + 1;
    result.validation = std::move(validation);
  }
  result.net = trainer.finish(best_weights);
  return result;
}

}  // namespace avs
