// The constant-Q transform: bands equally spaced in pitch, each with a window as many periods long as every other's.
//
//   |C[band, t]| = |sum_n x[n] a_band[n - t hop]| / sqrt(length_band),   a_band = a Hann-windowed tone of that length
//
// The definition is librosa.cqt's (0.11: hann, filter_scale 1, norm 1, sparsity 0.01, scale True, pad_mode constant,
// res_type soxr_hq; Schoerkhuber and Klapuri 2010), including how it gets there: one octave of bands at a time, in the
// frequency domain of rectangular frames, at a sample rate that halves from octave to octave for as long as the hop
// stays whole (448 = 2^6 * 7: seven rates), with 1 % of every filter's magnitude dropped. That last step gives filters
// sharp ends, so a shorter way to the same bands agrees to no more than 1e-3; this one agrees to 1e-6.
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
  int64_t bands_per_octave = 12;  // a reconstruction: the whole range, 9.8 Hz .. 15 kHz (the 24 below end at 392 Hz)
  double lowest_hz = 9.8;
  double sample_rate_hz = 32000;
  double sparsity = 0.01;  // this share of each filter's magnitude is dropped

  static CqtSpec full_band() { return {}; }
  static CqtSpec author() { return {.bands_per_octave = 24, .lowest_hz = 10}; }  // as in the first author's scripts
};

class Cqt {
 public:
  explicit Cqt(CqtSpec spec = {});  // UsageError: the highest band passes half the sample rate

  const CqtSpec& spec() const { return spec_; }
  // How it is computed, for whoever computes it elsewhere: the bands that share a sample rate and a transform size, in
  // order of falling sample rate. A level's signal is the one before, halved (halver()) until it has `halvings`.
  struct Filter {  // one band in the frequency domain, nonzero on a span of bins
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
    int64_t first_bin = 0, bins = 0;  // what the filters need of a spectrum
    StereoStft stft;
    std::vector<Filter> filters;
  };

  void add_octave(std::span<const double> frequencies_hz, int64_t first_band, int64_t halvings,
                  double relative_bandwidth);
  void project(Level& level, std::span<const StereoSample> signal, int64_t first_frame, int64_t frames, float* out);

  CqtSpec spec_;
  double reference_rate_hz_ = 0;  // librosa's rate after its early downsampling
  RateHalver halver_;
  std::vector<Level> levels_;                      // in order of falling sample rate
  std::vector<std::vector<StereoSample>> halved_;  // [h - 1]: the signal after h halvings; kept for their memory
  AlignedVector<float> spectra_;                   // 16 frames of a level, see project()
};

}  // namespace avs::audio
