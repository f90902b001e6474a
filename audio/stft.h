// The short-time Fourier transform of a stereo signal, one frame at a time.
//
// Frame t has fft_size samples and is centred on sample t * hop; samples outside the signal are zero (librosa.stft with
// center=True, pad_mode="constant"). A Hann window shorter than the transform is centred in it:
//
//   w[j] = 0.5 - 0.5 cos(2 pi j / W),   X[t, k] = sum_j w[j] x[t hop - W/2 + j] exp(-2 pi i k (j + (N - W)/2) / N)
//
// Left and right share one complex transform: x = left + i right. Their spectra are L = (X[k] + conj X[N-k]) / 2 and
// R = (X[k] - conj X[N-k]) / 2i; the functions below never store them.
#pragma once

#include <cstdint>
#include <span>

#include "audio/fft.h"

namespace avs::audio {

enum class Window { Hann, Rectangular };

struct StftSpec {
  int64_t fft_size = 4096;
  int64_t window_size = 2560;  // 80 ms at 32 kHz
  int64_t hop = 448;           // 14 ms at 32 kHz
  Window window = Window::Hann;
};

class StereoStft {
 public:
  explicit StereoStft(StftSpec spec);

  const StftSpec& spec() const { return spec_; }
  std::span<const float> window() const { return window_; }  // empty: rectangular
  int64_t bins() const { return spec_.fft_size / 2 + 1; }    // 0 Hz .. half the sample rate

  // The transform of left + i right: fft_size numbers, valid until the next call.
  const Complex<float>* transform(std::span<const StereoSample> signal, int64_t frame);

 private:
  StftSpec spec_;
  Fft<float> fft_;
  AlignedVector<float> window_;          // empty: rectangular
  AlignedVector<Complex<float>> frame_;  // zero outside the window
  AlignedVector<Complex<float>> spectrum_;
};

// The number of centred frames: 1 + samples / hop.
int64_t frame_count(int64_t samples, int64_t hop);

// Outputs of power_of_both(): fft_size / 2 + 1 floats each.
struct StereoPower {
  float* power_left;
  float* power_right;
  float* magnitude_left;
  float* magnitude_right;
};
void power_of_both(const Complex<float>* spectrum, int64_t fft_size, const StereoPower& out);

}  // namespace avs::audio
