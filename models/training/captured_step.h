// train_step() as a captured graph (models/training/step_graph.h): before each replay the batch, its boxes and its mixup
// plan are written where the graph reads them.
#pragma once

#include <optional>

#include "models/training/step_graph.h"

namespace avs {

class CapturedStep {
 public:
  CapturedStep(Backbone& model, Adam& optimizer) : model_(model), optimizer_(optimizer) {}

  // May this batch be a step of the graph? The first decides the shape; the last batch of an epoch often has another
  // and is train_step()'s.
  bool takes(const Samples& samples, const Tensor& targets) const;

  // train_step(), but the result is that of the step before, and so is a NumericError.
  std::optional<StepResult> start(const Samples& samples, const Tensor& targets, const StepSettings& settings);
  std::optional<StepResult> finish();  // waits for the step under way; nothing when there is none
  // Gives back what the graph holds, for a step of another kind, which needs as much; start() captures again. Not while
  // a step is under way.
  void forget() { graph_.reset(); }
  int64_t under_way() const { return graph_ ? graph_->under_way() : 0; }

 private:
  void allocate(const Samples& samples, const Tensor& targets);

  Backbone& model_;
  Adam& optimizer_;
  Samples samples_;  // the graph reads these
  Tensor targets_;
  std::unique_ptr<cuda::Upload> upload_;  // copies samples_.x, while the step before computes
  std::optional<StepGraph> graph_;
};

}  // namespace avs
