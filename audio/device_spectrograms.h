// The spectrograms of features.h on a GPU, with the CPU's filters, windows and formulas. Filters are uploaded once.
// Each call uploads the sound, runs batched FFTs over all frames, and one kernel per kind. Results differ from the
// CPU's by f32 rounding.
#pragma once

#include <span>
#include <vector>

#include "audio/cqt.h"
#include "audio/features.h"
#include "cuda/spectrogram.h"
#include "tensor/tensor.h"

namespace avs::audio {

class DeviceSpectrograms {
 public:
  DeviceSpectrograms(Device device, const CqtSpec& cqt);

  // Frames first_frame .. first_frame + frames - 1, one device tensor per kind: f32 [128, frames, channels_of(stage)].
  // Stage::Delta needs at least nine frames.
  std::vector<Tensor> operator()(std::span<const StereoSample> signal, int64_t first_frame, int64_t frames,
                                 std::span<const SpectrogramKind> kinds, Stage stage) const;

 private:
  struct Level {  // one level of the constant-Q transform
    int64_t halvings;
    StftSpec stft;
    cuda::BandFilters filters;
  };

  Tensor constant_q(const Tensor& signal, int64_t first_frame, int64_t frames, float log_offset) const;

  Device device_;
  StftSpec stft_;
  Tensor window_;
  cuda::BandFilters mel_, gam_;
  Tensor halving_taps_;
  std::vector<Level> levels_;
};

}  // namespace avs::audio
