#include "models/data/dataset.h"

#include <algorithm>
#include <cstring>

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

void SpectrogramDataset::read(int64_t index, Rng rng, std::span<float> out) const {
  Tensor log = cache_.entry(clip(index), kind_).read(kind_);  // [128, 704, 2]
  shift_time(log, augmentation_, rng);
  Tensor features = audio::stack_deltas(log);  // [128, 704, 6]
  mask_spectrogram(features, augmentation_, rng);
  AVS_CHECK(ShapeError, features.shape() == sample_shape(), "the cache holds spectrograms of ", log.shape());
  std::memcpy(out.data(), features.raw(), out.size_bytes());
}

void Dataset::read_bytes(int64_t, Rng, std::span<uint8_t>) const {
  throw UsageError("these samples are no bytes: read() gives them");
}

Dataset::PictureBox Dataset::read_picture(int64_t, Rng, std::span<uint8_t>) const {
  throw UsageError("these samples are no boxes of pictures: read() gives them");
}

// ---- frames -----------------------------------------------------------------

void FrameDataset::read_stored(const Sample& sample, Rng& rng, std::span<uint8_t> out) const {
  const Entry entry = cache_.entry(sample.clip, Modality::Frames);
  const int64_t frames = entry.shape(Modality::Frames)[0];
  entry.read_frame(sample.frame >= 0 ? sample.frame : rng.below(frames), out);
}

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
    for (int64_t frame = 0; frame < samples; ++frame) samples_.push_back({id, is_random ? -1 : frame});
  }
}

int64_t FrameDataset::label(int64_t index) const { return cache_.clips()[static_cast<size_t>(clip(index))].label; }

bool FrameDataset::flips(Rng& rng) const {
  return options_.augmentation.horizontal_flip == Flip::HalfTheTime && rng.uniform() < 0.5;
}

bool FrameDataset::holds_bytes() const {
  return options_.augmentation.crop_min_area == 1 && cache_.options().frames.image_size == options_.image_size;
}

void FrameDataset::read(int64_t index, Rng rng, std::span<float> out) const {
  const Sample& sample = samples_.at(static_cast<size_t>(index));
  Tensor picture = Tensor::empty(picture_shape(), DType::U8);
  const std::span<uint8_t> pixels(picture.data<uint8_t>(), picture.bytes());
  read_stored(sample, rng, pixels);
  const int64_t side = cache_.options().frames.image_size;
  const PictureSize stored{side, side}, wanted{options_.image_size, options_.image_size};
  const Box box = draw_crop(stored, options_.augmentation, rng);
  const bool is_whole =
      box.width == static_cast<double>(stored.width) && box.height == static_cast<double>(stored.height);
  if (is_whole && stored.width == wanted.width && stored.height == wanted.height) {
    std::copy(pixels.begin(), pixels.end(), out.begin());
  } else {
    resize(pixels, stored, box, wanted, out);
  }
  if (flips(rng)) flip_horizontally(out, wanted);
}

void FrameDataset::read_bytes(int64_t index, Rng rng, std::span<uint8_t> out) const {
  if (!holds_bytes()) return Dataset::read_bytes(index, rng, out);
  const Sample& sample = samples_.at(static_cast<size_t>(index));
  read_stored(sample, rng, out);
  if (flips(rng)) flip_horizontally(out, {options_.image_size, options_.image_size});
}

Shape FrameDataset::picture_shape() const {
  const int64_t side = cache_.options().frames.image_size;
  return {side, side, 3};
}

Dataset::PictureBox FrameDataset::read_picture(int64_t index, Rng rng, std::span<uint8_t> out) const {
  if (!holds_pictures()) return Dataset::read_picture(index, rng, out);
  const Sample& sample = samples_.at(static_cast<size_t>(index));
  read_stored(sample, rng, out);
  const Shape shape = picture_shape();
  const Box box = draw_crop({shape[0], shape[1]}, options_.augmentation, rng);
  return {box, flips(rng)};
}

}  // namespace avs::data
