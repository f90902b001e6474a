#include "models/training/step_graph.h"

#include <cstddef>
#include <cstring>

#include "autograd/interrupt.h"
#include "tensor/ops/reduce.h"

namespace avs {
namespace {
constexpr int kUnderWay = 2;  // steps of which the host does not know the result
}

StepGraph::StepGraph(Device device, Adam& optimizer, int64_t rows, int64_t classes, Forward forward)
    : device_(device), optimizer_(optimizer), rows_(rows), classes_(classes), forward_(std::move(forward)) {
  const auto scores = static_cast<int64_t>(sizeof(float)) * rows * classes;
  report_ = Tensor::empty({static_cast<int64_t>(sizeof(Summary)) + 2 * scores}, DType::U8, device);
  results_ = cuda::read_back(device, report_.bytes(), kUnderWay);
}

std::optional<StepResult> StepGraph::start(double learning_rate, Reason why) {
  optimizer_.prepare(learning_rate);
  if (graph_ == nullptr) {
    const Uninterrupted whole;  // it runs twice, and once it counts
    graph_ = cuda::capture(device_, [this] { record(); });
  } else {
    graph_->replay();
  }
  results_->start(report_);
  why_[under_way_++] = std::move(why);
  if (under_way_ < kUnderWay) return std::nullopt;
  return read();
}

std::optional<StepResult> StepGraph::finish() {
  if (under_way_ == 0) return std::nullopt;
  return read();
}

void StepGraph::record() {
  const StepTensors step = run_step(optimizer_, forward_);
  put(offsetof(Summary, loss), step.loss);
  put(offsetof(Summary, decaying_squares), optimizer_.decaying_squares());
  put(offsetof(Summary, scaling), optimizer_.scaling());
  put(offsetof(Summary, first_bad), optimizer_.first_bad());
  put(sizeof(Summary), step.logits);
  put(sizeof(Summary) + step.logits.bytes(), step.targets);
}

void StepGraph::put(size_t at, const Tensor& from) {
  context(device_).copy_on_device(static_cast<std::byte*>(report_.raw()) + at, from.raw(), from.bytes());
}

StepResult StepGraph::read() {
  const Reason why = std::exchange(why_[0], std::exchange(why_[1], nullptr));
  --under_way_;
  const std::span<const std::byte> bytes = results_->oldest();
  Summary summary;
  std::memcpy(&summary, bytes.data(), sizeof(summary));
  const auto scores = [&](int which) {
    Tensor t = Tensor::empty({rows_, classes_});
    std::memcpy(t.raw(), bytes.data() + sizeof(summary) + static_cast<size_t>(which) * t.bytes(), t.bytes());
    return t;
  };
  const Adam::Outcome outcome{ops::index_of(summary.first_bad), static_cast<double>(summary.scaling[0])};
  StepResult result = result_of(optimizer_, outcome, static_cast<double>(summary.loss), scores(0), scores(1), why);
  result.l2 = optimizer_.l2_penalty_of(static_cast<double>(summary.decaying_squares));
  return result;
}

}  // namespace avs
