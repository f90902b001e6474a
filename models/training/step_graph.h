// A training step on a GPU as one captured graph: forward, loss, backward and optimizer start with a single call from
// the host, instead of one for each of some thousand kernels, which at small batches take longer to start than to run.
//
//   host, before        writes the values that change from step to step to fixed addresses, through pinned memory
//   device              runs the graph, captured at the first step: the same kernels, memory and numbers as a step made
//                       one kernel at a time; a gradient that is not finite updates no parameter
//   host, after         reads loss, logits and flags of the step *before*, while the device computes this one
//
// So the device always has a step queued, and the host never waits for the step it has just started.
#pragma once

#include <memory>
#include <optional>

#include "cuda/api.h"
#include "models/training/step.h"

namespace avs {

class StepGraph {
 public:
  // All that forward() reads lies where it lay when it was captured.
  StepGraph(Device device, Adam& optimizer, int64_t rows, int64_t classes, Forward forward);

  // Starts a step and gives the result of the one before, unless finish() did. NumericError: that one's loss is not
  // finite (`why` was given with it and is asked for the reason), or Adam::check() says so of a gradient.
  std::optional<StepResult> start(double learning_rate, Reason why);
  std::optional<StepResult> finish();  // waits for the step under way; nothing when there is none
  int64_t under_way() const { return under_way_; }

 private:
  void record();  // the part that is captured
  void put(size_t at, const Tensor& from);
  StepResult read();  // the oldest result

  // A step leaves these in report_, before logits and targets.
  struct Summary {
    float loss, decaying_squares, scaling[4];
    int32_t first_bad[2];
  };

  const Device device_;
  Adam& optimizer_;
  const int64_t rows_, classes_;
  const Forward forward_;
  Tensor report_;  // u8: Summary, logits, targets
  std::unique_ptr<cuda::ReadBack> results_;
  std::unique_ptr<cuda::Graph> graph_;
  Reason why_[2];  // the steps under way: the older first
  int64_t under_way_ = 0;
};

}  // namespace avs
