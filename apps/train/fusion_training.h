// Phase II: training a FusionNet on embeddings that lie in memory (docs/paper.md#fusions). Backbones are not touched;
// whole epochs run over matrices, so 8,646 clips of five backbones take seconds. On a GPU the matrices lie there, and a
// step is a captured graph that picks its rows from them (models/training/step_graph.h).
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "apps/train/embeddings.h"
#include "apps/train/options.h"
#include "layers/mixup.h"
#include "models/fusion.h"
#include "models/training/metrics.h"

namespace avs {

// A fusion's class probabilities for rows of embeddings, all on the net's device: [rows, classes] on the CPU. A matrix
// pass in blocks, no gradients.
Tensor fuse(FusionNet& net, const std::vector<Tensor>& x);

// Who is mixed with whom, where ops::mixup() reads it.
struct Pairs {
  Tensor first, second, lambda;
  static Pairs of(const MixupPlan& plan, Device device);
  void write(const MixupPlan& plan);  // in place: captured steps keep reading the same memory
};

// A batch: some rows of the matrices, and how they are mixed (the indices of `mixing` count within the batch).
struct MixedBatch {
  MixupPlan picking;  // the rows as they are
  MixupPlan mixing;
  MixupPlan both;  // mixing, but counting in the matrices
};
MixedBatch mixed_batch(std::span<const int64_t> rows, const MixupPlan& mixing);

// Logits of a mixed batch: [mixing.rows(), classes]. Mixes embeddings (by `both`), or what comes to the same and is
// cheaper, logits (by `picking`, then `mixing`).
Variable mixed_logits(FusionNet& net, const std::vector<Tensor>& matrices, const Pairs& picking, const Pairs& mixing,
                      const Pairs& both);

struct FusionData {
  EmbeddingRows train, validation;
  std::vector<std::string> classes;
};

struct TrainedFusion {
  std::unique_ptr<FusionNet> net;      // the best epoch's weights, in inference mode, on the device it was trained on
  int64_t epochs = 0, best_epoch = 0;  // best_epoch from 1
  Evaluation validation;               // of that epoch; clips == 0 when there are no validation clips
};

// write_line receives the lines of metrics.jsonl. NumericError names the epoch when the loss stops being a number;
// Interrupted passes through.
TrainedFusion train_fusion(const FusionData& data, const FusionOptions& fusion, const LearningOptions& learning,
                           const std::function<void(const std::string&)>& write_line, Device device = kCpu);

}  // namespace avs
