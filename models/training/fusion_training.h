// Phase II: training a FusionNet on embeddings that lie in memory (docs/paper.md#fusions). Backbones are not touched;
// whole epochs run over matrices, so 8,646 clips of five backbones take seconds. On a GPU the matrices lie there, and a
// step is a captured graph that picks its rows from them (models/training/step_graph.h).
#pragma once

#include <functional>
#include <memory>

#include "models/data/embeddings.h"
#include "models/fusion.h"
#include "models/training/learning_options.h"
#include "models/training/metrics.h"
#include "tensor/ops/mixup.h"

namespace avs {

// A fusion's class probabilities for rows of embeddings, all on the net's device: [rows, classes] on the CPU. A matrix
// pass in blocks, no gradients.
Tensor fuse(FusionNet& net, const std::vector<Tensor>& x);

// The logits of mixed rows of embeddings. Without a ReLU a fusion is affine, so that the rows' logits are mixed instead:
// the author's scheme makes 2n rows of n, and f1 to f3 then take half the time.
Variable mixed_logits(FusionNet& net, const std::vector<Tensor>& rows, const MixupPlan& mixing);

struct FusionData {
  EmbeddingRows train, validation;
  std::vector<std::string> classes;
};

struct TrainedFusion {
  std::unique_ptr<FusionNet> net;      // the best epoch's weights, in inference mode, on the device it was trained on
  int64_t epochs = 0, best_epoch = 0;  // best_epoch from 1
  Evaluation validation;               // after that epoch; clips == 0 when there are no validation clips
};

// write_line receives the lines of metrics.jsonl. NumericError names the epoch when the loss stops being a number;
// Interrupted passes through.
TrainedFusion train_fusion(const FusionData& data, const FusionOptions& fusion, const LearningOptions& learning,
                           const std::function<void(const std::string&)>& write_line, Device device = kCpu);

}  // namespace avs
