// Phase II: training a FusionNet on embeddings that lie in memory (PAPER sections 1 and 6). Backbones are not touched;
// whole epochs run over matrices, so 8,646 clips of five backbones take seconds.
#pragma once

#include <functional>
#include <memory>
#include <span>

#include "apps/train/embeddings.h"
#include "apps/train/metrics.h"
#include "apps/train/options.h"
#include "layers/mixup.h"
#include "models/fusion.h"

namespace avs {

// A fusion's class probabilities for rows of embeddings: [rows, classes]. A matrix pass in blocks, no gradients.
Tensor fuse(FusionNet& net, const std::vector<Tensor>& x);

// Logits of the batch made of these rows of the matrices, mixed as the plan says (its indices count within the batch):
// [plan.rows(), classes]. Mixes embeddings, or what comes to the same and is cheaper, logits.
Variable mixed_logits(FusionNet& net, const std::vector<Tensor>& matrices, std::span<const int64_t> rows,
                      const MixupPlan& plan);

struct FusionData {
  EmbeddingRows train, validation;
  std::vector<std::string> classes;
};

struct TrainedFusion {
  std::unique_ptr<FusionNet> net;      // the best epoch's weights, in inference mode
  int64_t epochs = 0, best_epoch = 0;  // best_epoch from 1
  Evaluation validation;               // of that epoch; clips == 0 when there are no validation clips
};

// write_line receives the lines of metrics.jsonl. NumericError names the epoch when the loss stops being a number;
// Interrupted passes through.
TrainedFusion train_fusion(const FusionData& data, const FusionOptions& fusion, const LearningOptions& learning,
                           const std::function<void(const std::string&)>& write_line);

}  // namespace avs
