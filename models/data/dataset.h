// A Dataset is a list of samples of one modality of one split: what a network sees, with the label. It is a pure
// function: sample (index, rng) is the same whoever asks for it, when, and on which thread, so that a Loader's result
// depends on neither worker count nor timing.
#pragma once

#include <memory>
#include <vector>

#include "models/data/augment.h"
#include "models/data/cache.h"
#include "tensor/rng.h"

namespace avs::data {

struct Sample {
  Tensor x;             // f32 [128, 704, 6], or u8 [h, w, 3]: a frame as the cache holds it
  PictureBox box = {};  // the part of a frame that the network sees
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;        // samples of an epoch
  virtual Shape sample_shape() const = 0;  // the shape that a network takes
  virtual int64_t class_count() const = 0;
  virtual int64_t clip(int64_t index) const = 0;         // id in Cache::clips()
  virtual int64_t label(int64_t index) const = 0;        // class of that clip
  virtual Sample get(int64_t index, Rng rng) const = 0;  // any thread. DataError names the damaged cache entry
};

// Spectrograms [128, 704, 6]: log spectrogram, delta, delta-delta of both channels (docs/paper.md#sound-branch).
class SpectrogramDataset final : public Dataset {
 public:
  // The cache must outlive the dataset. DataError: the cache was prepared without `kind`; UsageError: not a
  // spectrogram.
  SpectrogramDataset(const Cache& cache, Modality kind, Split split, SpectrogramAugmentation augmentation = {});

  int64_t size() const override { return static_cast<int64_t>(clips_.size()); }
  Shape sample_shape() const override { return {128, 704, 6}; }
  int64_t class_count() const override { return static_cast<int64_t>(cache_.classes().size()); }
  int64_t clip(int64_t index) const override { return clips_.at(static_cast<size_t>(index)); }
  int64_t label(int64_t index) const override;
  Sample get(int64_t index, Rng rng) const override;

 private:
  const Cache& cache_;
  Modality kind_;
  SpectrogramAugmentation augmentation_;
  std::vector<int64_t> clips_;
};

struct FrameDatasetOptions {
  int64_t image_size = 224;   // the samples'; resized from the cache's where they differ
  int64_t random_frames = 1;  // samples of each clip in an epoch, each a frame drawn at random;
                              // 0: every frame of every clip, in order (evaluation)
  FrameAugmentation augmentation = {};
};

// Frames at the cache's size, RGB 0..255, with a box; the loader or the network resizes. Training takes single frames, and a clip's
// answer is the mean over its frames (docs/paper.md#image-branch).
class FrameDataset final : public Dataset {
 public:
  FrameDataset(const Cache& cache, Split split, FrameDatasetOptions options = {});  // UsageError: options out of range

  int64_t size() const override { return static_cast<int64_t>(frames_.size()); }
  Shape sample_shape() const override { return {options_.image_size, options_.image_size, 3}; }
  int64_t class_count() const override { return static_cast<int64_t>(cache_.classes().size()); }
  int64_t clip(int64_t index) const override { return frames_.at(static_cast<size_t>(index)).clip; }
  int64_t label(int64_t index) const override;
  Sample get(int64_t index, Rng rng) const override;

 private:
  struct Frame {
    int64_t clip, number;  // -1: drawn at random
  };
  const Cache& cache_;
  FrameDatasetOptions options_;
  std::vector<Frame> frames_;
};

}  // namespace avs::data
