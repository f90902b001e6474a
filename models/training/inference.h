// A network in inference, batch after batch. On a GPU the second batch of a shape is captured as a graph that the
// following ones replay (cuda/api.h); others, such as the last of a data set, run one kernel at a time. The numbers are
// the same.
#pragma once

#include <memory>

#include "cuda/api.h"
#include "models/backbone.h"

namespace avs {

class Inference {
 public:
  // Puts the network into inference mode. As long as this lives, its weights stay as they are.
  explicit Inference(Backbone& net);

  struct Outputs {
    Tensor fc1024, logits, probabilities;  // on the CPU; fc1024 is undefined under a direct head
  };
  Device device() const { return net_.device(); }
  Outputs run(const Samples& samples);  // on the CPU

 private:
  Outputs forward(const Samples& samples);
  bool repeats(const Samples& samples) const;
  void send(const Samples& samples);
  void capture(const Samples& samples);

  Backbone& net_;
  Samples samples_;  // written before each replay; before there is a graph, the last batch
  Outputs outputs_;  // on the device, of the last batch
  std::unique_ptr<cuda::Upload> upload_;
  std::unique_ptr<cuda::Graph> graph_;
};

}  // namespace avs
