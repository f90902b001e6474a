// Gammatone bands on the ERB scale, in the "FFT weights" approximation of D. Ellis (fft2gammatonemx, 2009): the
// response of the filter at every bin of a magnitude spectrum, instead of the filter in time.
//
// Centre frequencies, N of them, lowest first (Q = 9.26449, m = 24.7 Hz: Glasberg and Moore's ear):
//   cf(k) = -Q m + exp(k/N (ln(low + Q m) - ln(high + Q m))) (high + Q m),   k = N .. 1
// The fourth-order cascade (Slaney 1993, Apple report 35) has T = 1/rate, B = 1.019 * 2 pi (cf/Q + m), its poles at
// p = exp(-B T +- i 2 pi cf T), four times, and real zeros at  z = exp(-B T) (cos a +- sqrt(3 +- 2^1.5) sin a),
// a = 2 pi cf T. The weight of a bin at u on the unit circle is
//   |u - z1||u - z2||u - z3||u - z4| / |(p - u)(conj(p) - u)|^4, over its value at the centre frequency (gain 1 there).
// Applied to |X| / fft_size, as detly/gammatone's fft_gtgram does.
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
// [bands, fft_size / 2 + 1], 1 / fft_size included. Weights below 1e-6 of a band's peak are left out: on recordings
// that changes no band by more than 2e-6 of its norm, and leaves 60 % of the matrix.
FilterBank gammatone_filter_bank(GammatoneSpec spec = {});

}  // namespace avs::audio
