// A backbone over whole clips: what it says of each clip is the mean over the clip's samples (a sound is one sample, a
// picture is one per frame; docs/paper.md#image-branch).
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "models/backbone.h"
#include "models/data/loader.h"
#include "models/training/inference.h"
#include "models/training/metrics.h"

namespace avs {

// The form of pixels in batches for a device.
inline data::Pixels pixels_for(Device device) {
  return device.is_cuda() ? data::Pixels::AsStored : data::Pixels::Floats;
}

// The mean over each clip's samples, which are added one clip after the other.
class ClipMeans {
 public:
  void add(int64_t clip, int64_t label, std::span<const float> row);
  Tensor take();  // [clips, width]
  const std::vector<int64_t>& clips() const { return clips_; }
  const std::vector<int64_t>& labels() const { return labels_; }

 private:
  void finish();

  std::vector<int64_t> clips_, labels_;
  std::vector<double> sum_;
  std::vector<float> means_;
  int64_t samples_ = 0;
};

inline std::span<const float> row_of(const Tensor& matrix, int64_t i) {
  const int64_t width = matrix.shape()[1];
  return {matrix.data<float>() + i * width, static_cast<size_t>(width)};
}

struct ClipOutputs {
  std::vector<int64_t> clips, labels;  // ids in Cache::clips()
  Tensor fc1024, logits;               // [clips, 1024], [clips, classes]
  Tensor probabilities;                // [clips, classes]: the mean of the samples' softmax
  int64_t size() const { return static_cast<int64_t>(clips.size()); }
};

// Every frame of a clip, or its spectrogram, without augmentation, in clip order. `image_size` is the network's.
std::unique_ptr<data::Dataset> evaluation_dataset(const data::Cache& cache, Modality modality, data::Split split,
                                                  int64_t image_size);

// on_samples is told of every batch. Interrupted passes through.
ClipOutputs run_clips(Inference& inference, const data::Dataset& dataset, int64_t batch, int workers,
                      const std::function<void(int64_t samples)>& on_samples = {});

Evaluation evaluate(const ClipOutputs& outputs, const data::Cache& cache);

// Samples first .. first + count of another dataset, which must outlive it.
class DatasetSlice final : public data::Dataset {
 public:
  DatasetSlice(const data::Dataset& whole, int64_t first, int64_t count)
      : whole_(whole), first_(first), count_(count) {}
  int64_t size() const override { return count_; }
  Shape sample_shape() const override { return whole_.sample_shape(); }
  int64_t class_count() const override { return whole_.class_count(); }
  int64_t clip(int64_t index) const override { return whole_.clip(first_ + index); }
  int64_t label(int64_t index) const override { return whole_.label(first_ + index); }
  data::Sample get(int64_t index, Rng rng) const override { return whole_.get(first_ + index, rng); }

 private:
  const data::Dataset& whole_;
  int64_t first_, count_;
};

}  // namespace avs
