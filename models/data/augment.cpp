#include "models/data/augment.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "audio/features.h"
#include "tensor/error.h"

namespace avs::data {
namespace {

struct Mask {
  int64_t first, count;
};

// Draws a width uniformly from 0..most, then a position uniformly from those that fit.
Mask draw_mask(int64_t most, int64_t extent, Rng& rng) {
  const int64_t count = rng.below(most + 1);
  return {rng.below(extent - count + 1), count};
}

std::vector<float> channel_means(const Tensor& features) {
  const int64_t c = features.shape()[2], places = features.size() / c;
  std::vector<double> sums(static_cast<size_t>(c));
  const float* x = features.data<float>();
  for (int64_t i = 0; i < places; ++i)
    for (int64_t j = 0; j < c; ++j) sums[static_cast<size_t>(j)] += x[i * c + j];
  std::vector<float> means;
  for (const double sum : sums) means.push_back(static_cast<float>(sum / static_cast<double>(places)));
  return means;
}

void fill(Tensor& features, Mask bands, Mask frames, const std::vector<float>& means) {
  const int64_t all_frames = features.shape()[1], c = features.shape()[2];
  for (int64_t band = bands.first; band < bands.first + bands.count; ++band)
    for (int64_t frame = frames.first; frame < frames.first + frames.count; ++frame)
      std::copy(means.begin(), means.end(), features.data<float>() + (band * all_frames + frame) * c);
}

}  // namespace

void check(const SpectrogramAugmentation& o) {
  const auto in_range = [](int64_t value, int64_t most) { return value >= 0 && value <= most; };
  if (!in_range(o.frequency_masks, kBands) || !in_range(o.frequency_mask_bands, kBands))
    throw UsageError(
        str("frequency masks: ", o.frequency_masks, " of up to ", o.frequency_mask_bands, " of ", kBands, " bands"));
  if (!in_range(o.time_masks, kSpectrogramFrames) || !in_range(o.time_mask_frames, kSpectrogramFrames))
    throw UsageError(
        str("time masks: ", o.time_masks, " of up to ", o.time_mask_frames, " of ", kSpectrogramFrames, " frames"));
  if (!in_range(o.time_shift_frames, kSpectrogramFrames))
    throw UsageError(str("a time shift of up to ", o.time_shift_frames, " of ", kSpectrogramFrames, " frames"));
}

void check(const FrameAugmentation& o) {
  if (!(o.crop_min_area > 0 && o.crop_min_area <= o.crop_max_area && o.crop_max_area <= 1))
    throw UsageError(str("a crop's share of the picture must be 0 < smallest <= largest <= 1, got ", o.crop_min_area,
                         " to ", o.crop_max_area));
  if (!(o.crop_max_aspect >= 1)) throw UsageError(str("a crop's aspect must be at least 1, got ", o.crop_max_aspect));
}

void shift_time(Tensor& log, const SpectrogramAugmentation& options, Rng& rng) {
  if (options.time_shift_frames == 0) return;
  const int64_t bands = log.shape()[0], frames = log.shape()[1], c = log.shape()[2];
  const int64_t shift = rng.below(2 * options.time_shift_frames + 1) - options.time_shift_frames;
  const int64_t left = ((shift % frames) + frames) % frames;  // rotate left by this many frames
  for (int64_t band = 0; band < bands; ++band) {
    float* row = log.data<float>() + band * frames * c;
    std::rotate(row, row + left * c, row + frames * c);
  }
}

void mask_spectrogram(Tensor& features, const SpectrogramAugmentation& options, Rng& rng) {
  if (options.frequency_masks == 0 && options.time_masks == 0) return;
  const int64_t bands = features.shape()[0], frames = features.shape()[1];
  const std::vector<float> means = channel_means(features);
  for (int64_t i = 0; i < options.frequency_masks; ++i)
    fill(features, draw_mask(options.frequency_mask_bands, bands, rng), {0, frames}, means);
  for (int64_t i = 0; i < options.time_masks; ++i)
    fill(features, {0, bands}, draw_mask(options.time_mask_frames, frames, rng), means);
}

PictureBox draw_crop(int64_t height, int64_t width, const FrameAugmentation& options, Rng& rng) {
  const auto h = static_cast<double>(height), w = static_cast<double>(width);
  if (options.crop_min_area == 1) return {0, 0, static_cast<float>(w), static_cast<float>(h)};
  const auto step = [](double pixels) { return std::floor(pixels * 256) / 256; };  // f32 holds these exactly
  const double area = rng.uniform(options.crop_min_area, options.crop_max_area) * w * h;
  const double log_aspect = std::log(options.crop_max_aspect);
  const double aspect = std::exp(rng.uniform(-log_aspect, log_aspect)) * w / h;
  const double box_w = std::max(1.0 / 256, step(std::min(w, std::sqrt(area * aspect))));
  const double box_h = std::max(1.0 / 256, step(std::min(h, std::sqrt(area / aspect))));
  const double left = step(rng.uniform(0, w - box_w)), top = step(rng.uniform(0, h - box_h));
  return {static_cast<float>(left), static_cast<float>(top), static_cast<float>(box_w), static_cast<float>(box_h)};
}

}  // namespace avs::data
