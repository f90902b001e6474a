#include "models/training/predict.h"

#include "autograd/interrupt.h"

namespace avs {
void ClipMeans::add(int64_t clip, int64_t label, std::span<const float> row) {
  if (clips_.empty() || clips_.back() != clip) {
    finish();
    clips_.push_back(clip);
    labels_.push_back(label);
    sum_.assign(row.size(), 0.0);
  }
  ++samples_;
  for (size_t d = 0; d < row.size(); ++d) sum_[d] += static_cast<double>(row[d]);
}

Tensor ClipMeans::take() {
  finish();
  const int64_t n = static_cast<int64_t>(clips_.size());
  return Tensor::from({n, n == 0 ? 0 : static_cast<int64_t>(means_.size()) / n}, std::span<const float>(means_));
}

void ClipMeans::finish() {
  for (const double value : sum_) means_.push_back(static_cast<float>(value / static_cast<double>(samples_)));
  sum_.clear();
  samples_ = 0;
}

std::unique_ptr<data::Dataset> evaluation_dataset(const data::Cache& cache, Modality modality, data::Split split,
                                                  int64_t image_size) {
  if (is_sound(modality)) return std::make_unique<data::SpectrogramDataset>(cache, modality, split);
  return std::make_unique<data::FrameDataset>(
      cache, split, data::FrameDatasetOptions{.image_size = image_size, .random_frames = 0, .augmentation = {}});
}

ClipOutputs run_clips(Inference& inference, const data::Dataset& dataset, int64_t batch_size, int workers,
                      const std::function<void(int64_t samples)>& on_samples) {
  ClipMeans fc1024, logits, probabilities;
  data::Loader loader(dataset, {.batch = batch_size,
                                .order = data::Order::Sequential,
                                .pixels = pixels_for(inference.device()),
                                .workers = workers});
  loader.start_epoch(0);
  int64_t sample = 0;
  while (const std::optional<data::Batch> batch = loader.next()) {
    stop_if_interrupted();
    const Inference::Outputs output = inference.run(batch->samples);
    const auto add = [&](ClipMeans& means, const Tensor& rows) {
      for (int64_t i = 0; i < rows.shape()[0]; ++i)
        means.add(batch->clips[static_cast<size_t>(i)], dataset.label(sample + i), row_of(rows, i));
    };
    add(fc1024, output.fc1024);
    add(logits, output.logits);
    add(probabilities, output.probabilities);
    const int64_t count = output.logits.shape()[0];
    sample += count;
    if (on_samples) on_samples(count);
  }
  return {logits.clips(), logits.labels(), fc1024.take(), logits.take(), probabilities.take()};
}

Evaluation evaluate(const ClipOutputs& outputs, const data::Cache& cache) {
  std::vector<std::string> ids;
  for (const int64_t clip : outputs.clips) ids.push_back(cache.clips()[static_cast<size_t>(clip)].name);
  return evaluate(outputs.probabilities, ids, outputs.labels, cache.classes());
}

}  // namespace avs
