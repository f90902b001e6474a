// train_step() as a captured graph (models/training/step_graph.h): mixup too happens on the device, from a plan that is
// written there before each step.
#pragma once

#include <optional>

#include "models/training/step_graph.h"

namespace avs {

class CapturedStep {
 public:
  CapturedStep(Backbone& model, Adam& optimizer) : model_(model), optimizer_(optimizer) {}

  // May this batch be a step of the graph? The first decides the shape; the last batch of an epoch often has another
  // and is train_step()'s.
  bool takes(const StepInputs& inputs, const Tensor& targets) const;

  // As train_step(), but the result is of the step before, and so is a NumericError.
  std::optional<StepResult> start(const StepInputs& inputs, const Tensor& targets, const StepSettings& settings);
  std::optional<StepResult> finish();  // of the step under way; nothing when there is none
  // Gives back what the graph holds, for a step of another kind, which needs as much; start() captures again. Not while
  // a step is under way.
  void forget() { graph_.reset(); }
  int64_t under_way() const { return graph_ ? graph_->under_way() : 0; }

 private:
  void make_room(const StepInputs& inputs, const Tensor& targets, const MixupPlan& plan);

  Backbone& model_;
  Adam& optimizer_;
  Tensor inputs_, targets_, first_, second_, lambda_;  // written before each replay
  PictureBoxes resized_;                               // its boxes too
  std::unique_ptr<cuda::Upload> upload_;               // of inputs_, while the step before computes
  std::optional<StepGraph> graph_;
};

}  // namespace avs
