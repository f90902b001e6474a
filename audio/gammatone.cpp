#include "audio/gammatone.h"

#include <array>
#include <cmath>
#include <complex>
#include <numbers>

namespace avs::audio {
namespace {

constexpr double kEarQ = 9.26449, kMinimumBandwidthHz = 24.7;

// The frequency response of one band; 1 at its centre.
class Gammatone {
 public:
  Gammatone(double centre_hz, double rate_hz) {
    const double angle = 2 * std::numbers::pi * centre_hz / rate_hz;
    const double bandwidth = 1.019 * 2 * std::numbers::pi * (centre_hz / kEarQ + kMinimumBandwidthHz);
    const double radius = std::exp(-bandwidth / rate_hz);
    const double wide = std::sqrt(3 + std::pow(2, 1.5)), narrow = std::sqrt(3 - std::pow(2, 1.5));
    pole_ = std::polar(radius, angle);
    const std::array<double, 4> slopes = {wide, -wide, narrow, -narrow};
    for (size_t i = 0; i < 4; ++i) zeros_[i] = radius * (std::cos(angle) + slopes[i] * std::sin(angle));
    gain_ = unscaled(angle);
  }
  double at(double angle) const { return unscaled(angle) / gain_; }

 private:
  double unscaled(double angle) const {
    const std::complex<double> u = std::polar(1.0, angle);
    double response = 1;
    for (const double zero : zeros_) response *= std::abs(u - zero);
    return response / std::pow(std::abs((pole_ - u) * (std::conj(pole_) - u)), 4);
  }

  std::complex<double> pole_;
  std::array<double, 4> zeros_;
  double gain_;
};

}  // namespace

std::vector<double> erb_space_hz(GammatoneSpec spec) {
  const double offset = kEarQ * kMinimumBandwidthHz;
  const double step = std::log(spec.lowest_hz + offset) - std::log(spec.highest_hz + offset);
  std::vector<double> centres;
  for (int64_t k = spec.bands; k >= 1; --k)
    centres.push_back(-offset + std::exp(static_cast<double>(k) / static_cast<double>(spec.bands) * step) *
                                    (spec.highest_hz + offset));
  return centres;
}

FilterBank gammatone_filter_bank(GammatoneSpec spec) {
  const int64_t bins = spec.fft_size / 2 + 1;
  const double n = static_cast<double>(spec.fft_size);
  std::vector<double> weights;
  weights.reserve(static_cast<size_t>(spec.bands * bins));
  for (const double centre_hz : erb_space_hz(spec)) {
    const Gammatone band(centre_hz, spec.sample_rate_hz);
    for (int64_t k = 0; k < bins; ++k)
      weights.push_back(band.at(2 * std::numbers::pi * static_cast<double>(k) / n) / n);
  }
  return FilterBank(spec.bands, bins, weights, 1e-6);
}

}  // namespace avs::audio
