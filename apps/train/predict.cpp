#include "apps/train/predict.h"

#include "apps/train/trained.h"
#include "autograd/interrupt.h"

namespace avs {
namespace {

// Running sums over the samples of one clip after the other.
class ClipMeans {
 public:
  void add(int64_t clip, int64_t label, const float* row, int64_t width) {
    if (clips_.empty() || clips_.back() != clip) {
      finish();
      clips_.push_back(clip);
      labels_.push_back(label);
      sum_.assign(static_cast<size_t>(width), 0.0);
    }
    ++samples_;
    for (int64_t d = 0; d < width; ++d) sum_[static_cast<size_t>(d)] += static_cast<double>(row[d]);
  }

  Tensor take() {
    finish();
    const int64_t n = static_cast<int64_t>(clips_.size());
    return Tensor::from({n, n == 0 ? 0 : static_cast<int64_t>(means_.size()) / n}, std::span<const float>(means_));
  }
  const std::vector<int64_t>& clips() const { return clips_; }
  const std::vector<int64_t>& labels() const { return labels_; }

 private:
  void finish() {
    for (const double value : sum_) means_.push_back(static_cast<float>(value / static_cast<double>(samples_)));
    sum_.clear();
    samples_ = 0;
  }

  std::vector<int64_t> clips_, labels_;
  std::vector<double> sum_;
  std::vector<float> means_;
  int64_t samples_ = 0;
};

}  // namespace

void place(Backbone& net, Placement placement) {
  net.to(placement.device);
  net.compute_in(placement.dtype);
}

std::unique_ptr<data::Dataset> evaluation_dataset(const data::Cache& cache, Modality modality, data::Split split,
                                                  int64_t image_size) {
  if (is_sound(modality)) return std::make_unique<data::SpectrogramDataset>(cache, modality, split);
  return std::make_unique<data::FrameDataset>(
      cache, split, data::FrameDatasetOptions{.image_size = image_size, .random_frames = 0, .augmentation = {}});
}

ClipOutputs run_clips(Inference& inference, const data::Dataset& dataset, int64_t batch, int workers,
                      const std::function<void(int64_t samples)>& on_samples) {
  ClipMeans fc1024, logits, probabilities;
  data::Loader loader(
      dataset,
      {.batch = batch, .order = data::Order::Sequential, .pixels = pixels_for(inference.device()), .workers = workers});
  loader.start_epoch(0);
  int64_t sample = 0;
  while (const std::optional<data::Batch> samples = loader.next()) {
    stop_if_interrupted();
    const Inference::Outputs output = inference.run(samples->inputs);
    const auto add = [&](ClipMeans& means, const Tensor& rows) {
      const int64_t width = rows.shape()[1];
      for (int64_t i = 0; i < rows.shape()[0]; ++i)
        means.add(samples->clips[static_cast<size_t>(i)], dataset.label(sample + i), rows.data<float>() + i * width,
                  width);
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
