// Random changes of training samples that keep their class. All are off by default: the paper uses only mixup, which
// the training step applies.
#pragma once

#include <cstdint>

#include "tensor/ops/load_pictures.h"
#include "tensor/rng.h"

namespace avs::data {

enum class Flip : uint8_t { Never, HalfTheTime };

// SpecAugment (Park et al. 2019, arXiv 1904.08779, section 2, without time warping) and a circular shift along time.
struct SpectrogramAugmentation {
  int64_t frequency_masks = 0, frequency_mask_bands = 16;  // width: uniform in 0 .. this many of the 128 bands
  int64_t time_masks = 0, time_mask_frames = 70;           // width: uniform in 0 .. this many of the 704 frames
  int64_t time_shift_frames = 0;                           // uniform in -this .. this many, before deltas are computed
};

// Horizontal flip, and a random crop scaled to the whole size (Szegedy et al. 2015, section 6).
struct FrameAugmentation {
  Flip horizontal_flip = Flip::Never;
  double crop_min_area = 1, crop_max_area = 1;  // fraction of the picture; both 1: no crop
  double crop_max_aspect = 4.0 / 3;             // aspect is changed by up to this factor, uniform in its logarithm
};

void check(const SpectrogramAugmentation& options);  // UsageError: negative, or more than the bands or frames
void check(const FrameAugmentation& options);        // UsageError: areas outside (0, 1] or aspect below 1

// log: [128, 704, c] f32, modified in place.
void shift_time(Tensor& log, const SpectrogramAugmentation& options, Rng& rng);
// features: [128, 704, c] f32. Masked values become the channel's mean over the clip, so that BatchNorm sees no
// outlier.
void mask_spectrogram(Tensor& features, const SpectrogramAugmentation& options, Rng& rng);

PictureBox draw_crop(int64_t height, int64_t width, const FrameAugmentation& options, Rng& rng);  // not mirrored

}  // namespace avs::data
