// Gammatone bands on the ERB scale, in the "FFT weights" approximation of D. Ellis (fft2gammatonemx, 2009): each
// filter's frequency response multiplies the magnitude spectrum; no filtering in time.
//
// N centre frequencies, lowest first (Q = 9.26449, m = 24.7 Hz: Glasberg and Moore):
//   cf(k) = -Q m + exp(k/N (ln(low + Q m) - ln(high + Q m))) (high + Q m),   k = N .. 1
// The fourth-order cascade (Slaney 1993, Apple report 35) has T = 1/rate, B = 1.019 * 2 pi (cf/Q + m), a fourfold pole
// pair p = exp(-B T +- i 2 pi cf T) and four real zeros  z = exp(-B T) (cos a +- sqrt(3 +- 2^1.5) sin a),  a = 2 pi cf
// T. The weight of a bin at the point u of the unit circle is
//   |u - z1||u - z2||u - z3||u - z4| / |(p - u)(conj(p) - u)|^4,
// divided by its value at the centre frequency (gain 1 there). It multiplies |X| / fft_size, like fft_gtgram of
// detly/gammatone.
#pragma once

#include <vector>

#include "audio/filter_bank.h"

namespace avs::audio {

struct GammatoneSpec {
  int64_t bands = 128;
  int64_t fft_size = 4096;
  double sample_rate_hz = 32000;
  double lowest_hz = 10;
  double highest_hz = 16000;
};

std::vector<double> erb_space_hz(GammatoneSpec spec = {});  // ascending
// [bands, fft_size / 2 + 1], including 1 / fft_size. Weights below 1e-6 of a band's peak are dropped, which keeps 60 %
// of the matrix and changes no band of the test recordings by more than 2e-6 of its norm.
FilterBank gammatone_filter_bank(GammatoneSpec spec = {});

}  // namespace avs::audio
