#include "models/data/dataset.h"

#include <algorithm>

#include "audio/delta.h"
#include "tensor/error.h"

namespace avs::data {

// ---- spectrograms -----------------------------------------------------------

SpectrogramDataset::SpectrogramDataset(const Cache& cache, Modality kind, Split split,
                                       SpectrogramAugmentation augmentation)
    : cache_(cache), kind_(kind), augmentation_(augmentation), clips_(cache.select(split, kind)) {
  if (kind == Modality::Frames) throw UsageError("a SpectrogramDataset is made of mel, gam or cqt, not frames");
  check(augmentation);
  const std::vector<Modality>& kinds = cache.options().spectrograms.kinds;
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end())
    throw DataError(str(cache.folder().string(), ": prepared without ", name_of(kind),
                        "; run prepare again with --kinds ", name_of(kind), " among them"));
}

int64_t SpectrogramDataset::label(int64_t index) const {
  return cache_.clips()[static_cast<size_t>(clip(index))].label;
}

Sample SpectrogramDataset::get(int64_t index, Rng rng) const {
  Tensor log = cache_.entry(clip(index), kind_).read(kind_);  // [128, 704, 2]
  shift_time(log, augmentation_, rng);
  Tensor features = audio::stack_deltas(log);  // [128, 704, 6]
  mask_spectrogram(features, augmentation_, rng);
  return {features};
}

// ---- frames -----------------------------------------------------------------

FrameDataset::FrameDataset(const Cache& cache, Split split, FrameDatasetOptions options)
    : cache_(cache), options_(options) {
  check(options.augmentation);
  if (options.image_size < 1 || options.image_size > 4096)
    throw UsageError(str("the image size must be 1 to 4096 pixels, got ", options.image_size));
  if (options.random_frames < 0)
    throw UsageError(str("the frames drawn from each clip must not be negative, got ", options.random_frames));
  for (const int64_t id : cache.select(split, Modality::Frames)) {
    const bool is_random = options.random_frames > 0;
    const int64_t samples = is_random ? options.random_frames : cache.clips()[static_cast<size_t>(id)].frame_count;
    for (int64_t frame = 0; frame < samples; ++frame) frames_.push_back({id, is_random ? -1 : frame});
  }
}

int64_t FrameDataset::label(int64_t index) const { return cache_.clips()[static_cast<size_t>(clip(index))].label; }

Sample FrameDataset::get(int64_t index, Rng rng) const {
  const auto [clip, number] = frames_.at(static_cast<size_t>(index));
  const Entry entry = cache_.entry(clip, Modality::Frames);
  const Shape frames = entry.shape(Modality::Frames);
  Sample sample{Tensor::empty({frames[1], frames[2], frames[3]}, DType::U8)};
  entry.read_frame(number >= 0 ? number : rng.below(frames[0]), {sample.x.data<uint8_t>(), sample.x.bytes()});
  sample.box = draw_crop(frames[1], frames[2], options_.augmentation, rng);
  sample.box.mirrored = options_.augmentation.horizontal_flip == Flip::HalfTheTime && rng.uniform() < 0.5;
  return sample;
}

}  // namespace avs::data
