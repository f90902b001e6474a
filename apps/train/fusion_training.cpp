#include "apps/train/fusion_training.h"

#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>

#include "apps/cli/require.h"
#include "apps/train/run_log.h"
#include "autograd/functions.h"
#include "layers/mixup.h"
#include "layers/optim/weight_average.h"
#include "tensor/interrupt.h"
#include "tensor/ops/softmax.h"

namespace avs {
namespace {

constexpr float kKlClip = 1e-7f;          // PAPER section 5
constexpr int64_t kInferenceRows = 1024;  // bounds the memory of a pass over a whole split

// Rows of x mixed as the plan says, with its gradient: row m of dy goes to first[m] and second[m] by their weights.
// Phase II runs on the CPU and the rows are a batch's logits, so plain loops do.
Variable mix_rows(const Variable& x, const MixupPlan& plan) {
  return record("mix_rows", {x}, mix(x.value(), plan), [plan, shape = x.shape()](const Tensor& dy, const Needs&) {
    Tensor dx = Tensor::zeros(shape);
    const int64_t width = shape[1];
    for (size_t m = 0; m < plan.lambda.size(); ++m) {
      const float* from = dy.data<float>() + static_cast<int64_t>(m) * width;
      float* first = dx.data<float>() + plan.first[m] * width;
      float* second = dx.data<float>() + plan.second[m] * width;
      for (int64_t d = 0; d < width; ++d) first[d] += plan.lambda[m] * from[d];
      for (int64_t d = 0; d < width; ++d) second[d] += (1 - plan.lambda[m]) * from[d];
    }
    return std::vector<Tensor>{dx};
  });
}

MixupPlan copies_of(std::span<const int64_t> rows) {
  MixupPlan plan;
  for (const int64_t row : rows) {
    plan.first.push_back(static_cast<int32_t>(row));
    plan.second.push_back(static_cast<int32_t>(row));
    plan.lambda.push_back(1.0f);
  }
  return plan;
}

std::vector<Variable> mixed(const std::vector<Tensor>& matrices, const MixupPlan& plan) {
  std::vector<Variable> x;
  for (const Tensor& matrix : matrices) x.emplace_back(mix(matrix, plan));
  return x;
}

}  // namespace

Variable mixed_logits(FusionNet& net, const std::vector<Tensor>& matrices, std::span<const int64_t> rows,
                      const MixupPlan& plan) {
  const MixupPlan batch = copies_of(rows);
  // Without a ReLU a fusion is an affine map, and weights that add up to 1 pass through it: the logits of mixed
  // embeddings are the mixed logits. That saves mixing five matrices of 1024 columns.
  if (net.options().activation == Activation::None) return mix_rows(net.run(mixed(matrices, batch)), plan);
  MixupPlan whole = plan;
  for (int32_t& i : whole.first) i = batch.first[static_cast<size_t>(i)];
  for (int32_t& i : whole.second) i = batch.first[static_cast<size_t>(i)];
  return net.run(mixed(matrices, whole));
}

namespace {

class FusionTrainer {
 public:
  FusionTrainer(const FusionData& data, const FusionOptions& fusion, const LearningOptions& learning)
      : data_(data),
        learning_(learning),
        net_(std::make_unique<FusionNet>(fusion)),
        arena_(*net_),
        adam_(arena_, learning.adam_options()),
        targets_(one_hot(data.train.labels, fusion.classes)),
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
    line.epoch = epoch + 1;
    line.step = adam_.steps();
    line.l2 = adam_.l2_penalty();
    return line;
  }

  Evaluation validate() {
    std::optional<WeightAverage::InUse> averaged;
    if (average_) averaged.emplace(*average_);
    return evaluate(fuse(*net_, data_.validation.x), data_.validation.ids, data_.validation.labels, data_.classes);
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
  void step(std::span<const int64_t> rows, Rng& rng, LogLine& line) {
    stop_if_interrupted();
    const MixupPlan plan = plan_mixup(static_cast<int64_t>(rows.size()), learning_.mixup_options(), rng);
    const Variable logits = mixed_logits(*net_, data_.train.x, rows, plan);
    const Tensor y = mix(mix(targets_, copies_of(rows)), plan);
    const Variable loss = softmax_kl(logits, y, kKlClip);
    loss.backward();
    line.learning_rate = schedule_.learning_rate(adam_.steps());
    adam_.step(line.learning_rate);
    if (average_) average_->update(adam_.steps());
    line.sums.add(static_cast<double>(loss.value().item()), accuracy_of(logits.value(), y), plan.rows());
    require<NumericError>(std::isfinite(line.sums.loss), "the loss is no number at step ", adam_.steps());
  }

  const FusionData& data_;
  const LearningOptions& learning_;
  std::unique_ptr<FusionNet> net_;
  ParameterArena arena_;
  Adam adam_;
  std::optional<WeightAverage> average_;
  Tensor targets_;
  int64_t steps_per_epoch_, epochs_;
  Schedule schedule_;
};

}  // namespace

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
                           const std::function<void(const std::string&)>& write_line) {
  require<DataError>(data.train.size() > 0, "no training clip has all of the embeddings to fuse");
  FusionTrainer trainer(data, fusion, learning);
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
    line.peak_bytes = context(kCpu).memory().peak_bytes;
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
