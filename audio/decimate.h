// Halves the sample rate of a stereo signal with the low-pass filter of libsoxr's "HQ" setting, which librosa.cqt uses
// between octaves:  y[m] = gain * sum_d h[d] x[2m - d].  Samples outside the signal are zero.
//
// The constructor measures libsoxr's impulse response: 385 symmetric taps, flat up to 0.913 of the new Nyquist
// frequency, below -120 dB above it. Overlap-save convolution with our FFT is about six times faster than libsoxr. Both
// channels form one complex signal.
#pragma once

#include <span>
#include <vector>

#include "audio/fft.h"

namespace avs::audio {

class RateHalver {
 public:
  explicit RateHalver(double gain = 1);
  // The filter's taps times the gain: d = -n/2 .. n/2 for an odd number n.
  std::vector<float> taps() const;
  // Writes ceil(x.size() / 2) samples to y.
  void operator()(std::span<const StereoSample> x, std::vector<StereoSample>& y);

 private:
  double gain_;
  Fft<float> forward_, inverse_;
  AlignedVector<float> response_;  // frequency response, one per bin; real, because the taps are symmetric
  AlignedVector<Complex<float>> block_, spectrum_, folded_, result_;
};

}  // namespace avs::audio
