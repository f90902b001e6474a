// The spectrograms of features.h on a GPU: the same filters, windows and formulas as on the CPU, uploaded once; then
// per sound one upload, batched transforms of all frames, and a kernel per kind. They differ from the CPU's by f32's
// rounding.
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

  // Frames first_frame .. first_frame + frames - 1 of every kind, in their order, on the device: f32 [128, frames,
  // channels_of(stage)]. Stage::Delta needs nine frames.
  std::vector<Tensor> operator()(std::span<const StereoSample> signal, int64_t first_frame, int64_t frames,
                                 std::span<const SpectrogramKind> kinds, Stage stage) const;

 private:
  struct Level {  // of the constant-Q transform
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
