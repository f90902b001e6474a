// Phase II at the size of the paper's training split: 8,646 clips, five backbones, ten classes. One iteration is a
// whole training run with train_fusion's default flags, which selects the best epoch on 1,000 further clips; it reads
// no file.
#include <benchmark/benchmark.h>

#include "models/training/fusion_training.h"
#include "tensor/parallel.h"

namespace avs {
namespace {

constexpr int64_t kClips = 8646, kValidationClips = 1000, kClasses = 10;
const std::vector<std::string> kBackbones = {"aud-mel", "aud-gam", "aud-cqt", "vis-conv", "vis-inc"};

// Embeddings that a fusion can learn from: a direction per class and backbone, plus noise.
EmbeddingRows random_rows(int64_t clips, int64_t size, Rng rng) {
  EmbeddingRows rows;
  for (int64_t i = 0; i < clips; ++i) {
    rows.ids.push_back(str("clip-", i));
    rows.labels.push_back(rng.below(kClasses));
  }
  for (size_t b = 0; b < kBackbones.size(); ++b) {
    Tensor x = Tensor::empty({clips, size});
    for (int64_t i = 0; i < clips; ++i)
      for (int64_t d = 0; d < size; ++d) {
        const bool own = d % kClasses == rows.labels[static_cast<size_t>(i)];
        x.data<float>()[i * size + d] = static_cast<float>(rng.uniform() + (own ? 0.5 : 0.0));
      }
    rows.x.push_back(std::move(x));
  }
  return rows;
}

void fusion(benchmark::State& state, const char* method) {
  set_thread_count(1);  // train_fusion's default: a step is too small for more threads
  const LearningOptions learning{.epochs = 0, .batch = 128, .learning_rate = 2e-3, .schedule = "cosine"};
  FusionOptions fusion{.method = fusion_method_of(method), .inputs = kBackbones, .classes = kClasses};
  fusion.embedding_size = layer_of(fusion.method) == EmbeddingLayer::Fc1024 ? 1024 : kClasses;
  FusionData data{random_rows(kClips, fusion.embedding_size, Rng(1)),
                  random_rows(kValidationClips, fusion.embedding_size, Rng(2)),
                  {}};
  for (int64_t c = 0; c < kClasses; ++c) data.classes.push_back(str("class-", c));
  TrainedFusion trained;
  for (auto _ : state) trained = train_fusion(data, fusion, learning, [](const std::string&) {});
  state.counters["epochs"] = static_cast<double>(trained.epochs);
  state.counters["validation_accuracy"] = trained.validation.micro_accuracy;
}

BENCHMARK_CAPTURE(fusion, f1, "f1")->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK_CAPTURE(fusion, f2, "f2")->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK_CAPTURE(fusion, f3, "f3")->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK_CAPTURE(fusion, f4, "f4")->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK_CAPTURE(fusion, f5, "f5")->Unit(benchmark::kSecond)->UseRealTime();
BENCHMARK_CAPTURE(fusion, f6, "f6")->Unit(benchmark::kSecond)->UseRealTime();

}  // namespace
}  // namespace avs
