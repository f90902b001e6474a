#include "audio/stft.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tensor/error.h"
#include "tensor/parallel.h"

namespace avs::audio {
namespace {

AVS_SIMD void multiply(const StereoSample* x, const float* window, int64_t n, Complex<float>* y) {
  for (int64_t i = 0; i < n; ++i) {
    y[i].re = x[i].re * window[i];
    y[i].im = x[i].im * window[i];
  }
}

AVS_SIMD void separate(const Complex<float>* x, int64_t n, float* re, float* im) {
  for (int64_t i = 0; i < n; ++i) {
    re[i] = x[i].re;
    im[i] = x[i].im;
  }
}

// Real and imaginary parts: bin k at [k], its mirror bin N - k at mirror[-k].
struct Halves {
  const float *re, *im, *mirror_re, *mirror_im;
};

AVS_SIMD void combine(const Halves x, int64_t bins, const StereoPower out) {
#pragma GCC ivdep  // eight arrays are too many for the compiler's overlap checks
  for (int64_t k = 0; k < bins; ++k) {
    const float sum_re = x.re[k] + x.mirror_re[-k], difference_re = x.re[k] - x.mirror_re[-k];
    const float sum_im = x.im[k] + x.mirror_im[-k], difference_im = x.im[k] - x.mirror_im[-k];
    const float left = 0.25f * (sum_re * sum_re + difference_im * difference_im);
    const float right = 0.25f * (sum_im * sum_im + difference_re * difference_re);
    out.power_left[k] = left;
    out.power_right[k] = right;
    out.magnitude_left[k] = ::sqrtf(left);
    out.magnitude_right[k] = ::sqrtf(right);
  }
}

}  // namespace

StereoStft::StereoStft(StftSpec spec)
    : spec_(spec),
      fft_(spec.fft_size, FftDirection::Forward),
      frame_(static_cast<size_t>(spec.fft_size)),
      spectrum_(static_cast<size_t>(spec.fft_size)) {
  AVS_CHECK(ShapeError, spec.window_size > 0 && spec.window_size <= spec.fft_size && spec.hop > 0, "stft: a window of ",
            spec.window_size, " samples with hop ", spec.hop, " does not fit into a transform of ", spec.fft_size);
  if (spec.window == Window::Rectangular) return;
  for (int64_t j = 0; j < spec.window_size; ++j)
    window_.push_back(static_cast<float>(
        0.5 - 0.5 * std::cos(2 * std::numbers::pi * static_cast<double>(j) / static_cast<double>(spec.window_size))));
}

const Complex<float>* StereoStft::transform(std::span<const StereoSample> signal, int64_t frame) {
  const int64_t length = spec_.window_size, offset = (spec_.fft_size - length) / 2;
  const int64_t start = frame * spec_.hop - spec_.fft_size / 2 + offset;
  const int64_t first = std::clamp<int64_t>(-start, 0, length);
  const int64_t last = std::clamp<int64_t>(static_cast<int64_t>(signal.size()) - start, first, length);
  Complex<float>* const window_begin = frame_.data() + offset;
  std::fill(window_begin, window_begin + first, Complex<float>{});
  std::fill(window_begin + last, window_begin + length, Complex<float>{});
  const StereoSample* const x = signal.data() + start + first;
  if (window_.empty())
    std::copy(x, x + (last - first), window_begin + first);
  else
    multiply(x, window_.data() + first, last - first, window_begin + first);
  fft_(frame_.data(), spectrum_.data());
  return spectrum_.data();
}

int64_t frame_count(int64_t samples, int64_t hop) { return 1 + samples / hop; }

void power_of_both(const Complex<float>* spectrum, int64_t fft_size, const StereoPower& out) {
  thread_local AlignedVector<float> scratch;
  scratch.resize(static_cast<size_t>(2 * fft_size + 2));
  float* const re = scratch.data();
  float* const im = re + fft_size + 1;
  separate(spectrum, fft_size, re, im);
  re[fft_size] = re[0];  // 0 Hz is its own mirror
  im[fft_size] = im[0];
  combine({re, im, re + fft_size, im + fft_size}, fft_size / 2 + 1, out);
}

}  // namespace avs::audio
