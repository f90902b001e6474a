#include "audio/decimate.h"

#include <soxr.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "tensor/error.h"
#include "tensor/parallel.h"

namespace avs::audio {
namespace {

constexpr int64_t kReach = 192;  // taps on each side of the centre; taps beyond 191 are below libsoxr's rounding error
constexpr int64_t kBlock = 4096, kAdvance = kBlock - 2 * kReach;

using Taps = std::array<double, 2 * kReach + 1>;

// h[kReach + d] of libsoxr's 2:1 converter. An impulse at an even sample gives even offsets, at an odd sample odd ones.
Taps taps_of_soxr() {
  constexpr int64_t n = 4096;
  Taps taps = {};
  for (const int64_t at : {n / 2, n / 2 + 1}) {
    std::vector<double> impulse(n), answer(n / 2);
    impulse[static_cast<size_t>(at)] = 1;
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, SOXR_DOUBLE_PRECISION);
    const soxr_io_spec_t types = soxr_io_spec(SOXR_FLOAT64_I, SOXR_FLOAT64_I);
    size_t read = 0, written = 0;
    const soxr_error_t error = soxr_oneshot(2, 1, 1, impulse.data(), impulse.size(), &read, answer.data(),
                                            answer.size(), &written, &types, &quality, nullptr);
    if (error != nullptr || written != answer.size()) throw Error(str("libsoxr cannot halve a sample rate: ", error));
    for (int64_t m = 0; m < n / 2; ++m)
      if (std::abs(2 * m - at) <= kReach)
        taps[static_cast<size_t>(kReach + 2 * m - at)] = answer[static_cast<size_t>(m)];
  }
  return taps;
}

const Taps& the_taps() {
  static const Taps taps = taps_of_soxr();
  return taps;
}

// Keeping every second sample adds bin k + n/2 to bin k.
AVS_SIMD void filter_and_fold(const Complex<float>* x, const float* response, int64_t half, Complex<float>* y) {
  for (int64_t k = 0; k < half; ++k) {
    y[k].re = x[k].re * response[k] + x[k + half].re * response[k + half];
    y[k].im = x[k].im * response[k] + x[k + half].im * response[k + half];
  }
}

}  // namespace

RateHalver::RateHalver(double gain)
    : gain_(gain),
      forward_(kBlock, FftDirection::Forward),
      inverse_(kBlock / 2, FftDirection::Inverse),
      response_(kBlock),
      block_(kBlock),
      spectrum_(kBlock),
      folded_(kBlock / 2),
      result_(kBlock / 2) {
  const Taps& taps = the_taps();
  const Fft<double> fft(kBlock, FftDirection::Forward);
  AlignedVector<Complex<double>> impulse(kBlock), response(kBlock);
  for (int64_t d = -kReach; d <= kReach; ++d)
    impulse[static_cast<size_t>((d + kBlock) % kBlock)].re = taps[static_cast<size_t>(kReach + d)];
  fft(impulse.data(), response.data());
  for (size_t k = 0; k < kBlock; ++k) response_[k] = static_cast<float>(gain * response[k].re / kBlock);
}

std::vector<float> RateHalver::taps() const {
  std::vector<float> taps;
  for (const double tap : the_taps()) taps.push_back(static_cast<float>(gain_ * tap));
  return taps;
}

void RateHalver::operator()(std::span<const StereoSample> x, std::vector<StereoSample>& y) {
  const int64_t n = static_cast<int64_t>(x.size()), outputs = (n + 1) / 2;
  y.resize(static_cast<size_t>(outputs));
  for (int64_t start = 0; start / 2 < outputs; start += kAdvance) {
    const int64_t begin = start - kReach;  // first sample of the block, in x
    const int64_t first = std::clamp<int64_t>(-begin, 0, kBlock), last = std::clamp<int64_t>(n - begin, first, kBlock);
    std::fill(block_.begin(), block_.begin() + first, Complex<float>{});
    std::copy(x.begin() + begin + first, x.begin() + begin + last, block_.begin() + first);
    std::fill(block_.begin() + last, block_.end(), Complex<float>{});
    forward_(block_.data(), spectrum_.data());
    filter_and_fold(spectrum_.data(), response_.data(), kBlock / 2, folded_.data());
    inverse_(folded_.data(), result_.data());
    const int64_t count = std::min(kAdvance / 2, outputs - start / 2);
    std::copy_n(result_.begin() + kReach / 2, count, y.begin() + start / 2);
  }
}

}  // namespace avs::audio
