// Halving the sample rate of a stereo signal with the low-pass filter of libsoxr's "HQ" setting, which librosa.cqt uses
// between octaves:  y[m] = gain * sum_d h[d] x[2m - d],  samples outside the signal being zero.
//
// The filter is not redesigned here but read out of libsoxr once: an impulse goes in, its taps come out (385 of them,
// symmetric, flat to 0.913 of the new half rate, below -120 dB from the new half rate on). Overlap-save with our
// transform then runs it about six times faster than libsoxr, both channels as one complex signal.
#pragma once

#include <span>
#include <vector>

#include "audio/fft.h"

namespace avs::audio {

class RateHalver {
 public:
  explicit RateHalver(double gain = 1);
  // The filter times the gain: taps d = -n/2 .. n/2 of an odd number n.
  std::vector<float> taps() const;
  // ceil(x.size() / 2) samples.
  void operator()(std::span<const StereoSample> x, std::vector<StereoSample>& y);

 private:
  double gain_;
  Fft<float> forward_, inverse_;
  AlignedVector<float> response_;  // of the filter at every bin; real, because the taps are symmetric
  AlignedVector<Complex<float>> block_, spectrum_, folded_, result_;
};

}  // namespace avs::audio
