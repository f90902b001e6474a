// A training step on a GPU as one captured graph: mixup, forward, loss, backward and optimizer start with a single call
// from the host, instead of one for each of some thousand kernels, which at small batches take longer to start than to run.
//
//   host, before        batch, mixup's plan, learning rate, step and random state are written in place
//   device              the graph, captured at the first step: the same kernels, memory and numbers as train_step()
//   host, after         loss and logits are read back: the only wait
#pragma once

#include <memory>

#include "apps/train/train_step.h"
#include "cuda/api.h"

namespace avs {

class CapturedStep {
 public:
  CapturedStep(Backbone& model, Adam& optimizer) : model_(model), optimizer_(optimizer) {}

  // As train_step(). Batches of another shape than the first one's (the last of an epoch) take that. NumericError: as
  // there.
  StepResult run(const Tensor& inputs, const Tensor& targets, const StepSettings& settings);

 private:
  void make_room(const Tensor& inputs, const Tensor& targets, const MixupPlan& plan);
  bool fits(const Tensor& inputs, const Tensor& targets, const MixupPlan& plan) const;
  void record();  // what is captured

  Backbone& model_;
  Adam& optimizer_;
  Tensor inputs_, targets_, first_, second_, lambda_;      // written before each replay
  Tensor loss_, logits_, mixed_targets_;  // read after it
  std::unique_ptr<cuda::Graph> graph_;
};

}  // namespace avs
