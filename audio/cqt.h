// The constant-Q transform: bands equally spaced in pitch; every band's window spans the same number of periods.
//
//   |C[band, t]| = |sum_n x[n] a_band[n - t hop]| / sqrt(length_band),   a_band = a Hann-windowed tone of that length
//
// Definition: librosa.cqt 0.11 (hann, filter_scale 1, norm 1, sparsity 0.01, scale True, pad_mode constant, res_type
// soxr_hq; Schoerkhuber and Klapuri 2010). It computes one octave at a time, in the frequency domain of rectangular
// frames. The sample rate halves from octave to octave while the hop stays whole (448 = 2^6 * 7: seven rates).
// 1 % of every filter's magnitude is dropped, which gives filters sharp ends: computing the bands directly agrees only
// to 1e-3; this implementation agrees to 1e-6.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "audio/decimate.h"
#include "audio/stft.h"

namespace avs::audio {

struct CqtSpec {
  int64_t bands = 128;
  int64_t hop = 448;
  int64_t bands_per_octave = 12;  // a reconstruction: the bands cover 9.8 Hz .. 15 kHz (24 per octave end at 392 Hz)
  double lowest_hz = 9.8;
  double sample_rate_hz = 32000;
  double sparsity = 0.01;  // fraction of each filter's magnitude to drop

  static CqtSpec full_band() { return {}; }
  static CqtSpec author() { return {.bands_per_octave = 24, .lowest_hz = 10}; }  // from the first author's scripts
};

class Cqt {
 public:
  explicit Cqt(CqtSpec spec = {});  // UsageError: the highest band exceeds half the sample rate

  const CqtSpec& spec() const { return spec_; }
  // The filters, for the GPU (device_spectrograms.h). A level holds the bands that share a sample rate and a transform
  // size. Levels are sorted by falling sample rate; halver() is applied to the signal `halvings` times.
  struct Filter {  // one band's weights in the frequency domain, nonzero for a span of bins
    int64_t band;
    int64_t first_bin;
    std::vector<Complex<float>> weights;
  };
  struct LevelView {
    int64_t halvings;
    StftSpec stft;
    std::span<const Filter> filters;
  };
  std::vector<LevelView> levels() const;
  const RateHalver& halver() const { return halver_; }

  // Magnitudes of frames first_frame .. first_frame + frames - 1 of both channels: out [bands, frames, 2].
  void magnitudes(std::span<const StereoSample> signal, int64_t first_frame, int64_t frames, float* out);

 private:
  struct Level {  // the bands that share a sample rate and a transform size
    int64_t halvings;
    int64_t first_bin = 0, bins = 0;  // the bins of a spectrum that the filters read
    StereoStft stft;
    std::vector<Filter> filters;
  };

  void add_octave(std::span<const double> frequencies_hz, int64_t first_band, int64_t halvings,
                  double relative_bandwidth);
  void project(Level& level, std::span<const StereoSample> signal, int64_t first_frame, int64_t frames, float* out);

  CqtSpec spec_;
  double reference_rate_hz_ = 0;  // librosa's rate after its early downsampling
  RateHalver halver_;
  std::vector<Level> levels_;  // sorted by falling sample rate
  // Scratch memory: the signal after h halvings, at [h - 1]; spectra of 16 frames of a level.
  std::vector<std::vector<StereoSample>> halved_;
  AlignedVector<float> spectra_;
};

}  // namespace avs::audio
