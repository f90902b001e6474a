// Mel bands in Slaney's form: triangles of equal area, centres equally spaced on the mel scale, which is linear below 1
// kHz and logarithmic above (librosa.filters.mel with htk=False, norm="slaney"). They are applied to a power spectrum.
// Source: M. Slaney, "Auditory Toolbox", 1998.
#pragma once

#include "audio/filter_bank.h"

namespace avs::audio {

struct MelSpec {
  int64_t bands = 128;
  int64_t fft_size = 4096;
  double sample_rate_hz = 32000;
  double lowest_hz = 10;
  double highest_hz = 16000;
};

double hz_to_mel(double hz);
double mel_to_hz(double mel);
FilterBank mel_filter_bank(MelSpec spec = {});  // [bands, fft_size / 2 + 1]

}  // namespace avs::audio
