// The memory that training takes at any batch size, from the allocations of two real steps.
//
// A step of 2 samples and one of 4 ask for the same tensors in the same order; each tensor's size is a line through its
// two sizes. Running the list of events with the sizes of another batch gives that batch's peak, wherever in the step
// it lies. What holds memory at the peak is told by how tensors lived: made forward and given back in backward is an
// activation, made in backward and given back by the optimizer a parameter's gradient, gone within its own pass a
// workspace (the gradients of activations among them).
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "models/training/placement.h"
#include "models/training/step.h"
#include "tensor/holders.h"

namespace avs {

struct MemoryNeed {
  int64_t batch = 0;
  size_t parameters = 0, gradients = 0, optimizer = 0, activations = 0, workspaces = 0;  // at the step's peak
  size_t peak = 0;                                                                       // a training step's: their sum
  size_t inference = 0;      // peak of a batch in inference mode, the network alone
  size_t training = 0;       // a run's: the step, and validation beside it
  std::string largest = {};  // the layer that holds most activations
};

// The settings of a run that decide its memory.
struct StepPattern {
  MixupScheme mixup = MixupScheme::Author;
  bool as_graph = true;  // on a GPU: a captured step keeps its memory while validation runs
};

class MemoryPlan {
 public:
  // Trains on noise: the model's values are worth nothing afterwards. OutOfMemory when not even these steps fit; the
  // batches are `smallest` and twice as many samples.
  MemoryPlan(Backbone& model, Adam& optimizer, const StepPattern& pattern, int64_t smallest = 2);

  MemoryNeed at(int64_t batch) const;
  int64_t largest_batch(size_t bytes) const;  // whose training fits; 0: none

 private:
  struct Item {
    double fixed, per_sample;  // bytes
    size_t kind;
    std::string holder;
    bool standing;
  };
  struct Course {
    std::vector<Item> items;
    std::vector<MemoryTrace::Event> events;
    size_t peak(int64_t batch, Device device, MemoryNeed* need = nullptr) const;
  };
  static Course joined(const MemoryTrace& small, const MemoryTrace& large, int64_t smallest);

  Device device_;
  bool as_graph_;
  Course step_, inference_;
};

// After an OutOfMemory, for a run that is over: which batch size would fit, and with --recompute. The model is trained
// on noise; its gradients are forgotten.
std::string what_would_fit(Backbone& model, Adam& optimizer, const StepPattern& pattern, int64_t batch, bool recompute);

// A plan for a network that is made for it and gone afterwards.
struct PlannedRun {
  BackboneOptions network;
  Placement placement;
  StepPattern pattern;
  bool recompute = false, averaged_weights = false;
};
MemoryPlan plan_memory(const PlannedRun& run);

// A real step and a real batch in inference mode: what the device's allocator counts at most.
struct MeasuredPeaks {
  size_t step = 0, inference = 0;
};
MeasuredPeaks measure_memory(const PlannedRun& run, int64_t batch);

std::string table_of(const std::vector<MemoryNeed>& needs);  // for people, a line each

}  // namespace avs
