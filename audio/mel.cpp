#include "audio/mel.h"

#include <algorithm>
#include <cmath>

namespace avs::audio {
namespace {

constexpr double kHzPerMel = 200.0 / 3;  // slope below the corner frequency
constexpr double kCornerHz = 1000, kCornerMel = kCornerHz / kHzPerMel;
const double kLogStep = std::log(6.4) / 27;  // 27 mels above the corner multiply the frequency by 6.4

}  // namespace

double hz_to_mel(double hz) {
  return hz < kCornerHz ? hz / kHzPerMel : kCornerMel + std::log(hz / kCornerHz) / kLogStep;
}

double mel_to_hz(double mel) {
  return mel < kCornerMel ? mel * kHzPerMel : kCornerHz * std::exp(kLogStep * (mel - kCornerMel));
}

FilterBank mel_filter_bank(MelSpec spec) {
  const int64_t bins = spec.fft_size / 2 + 1;
  std::vector<double> edges_hz;  // band b rises from edge b to edge b + 1 and falls to edge b + 2
  const double low = hz_to_mel(spec.lowest_hz), high = hz_to_mel(spec.highest_hz);
  for (int64_t i = 0; i < spec.bands + 2; ++i)
    edges_hz.push_back(mel_to_hz(low + (high - low) * static_cast<double>(i) / static_cast<double>(spec.bands + 1)));

  std::vector<double> weights(static_cast<size_t>(spec.bands * bins));
  for (size_t b = 0; b < static_cast<size_t>(spec.bands); ++b) {
    const double left = edges_hz[b], centre = edges_hz[b + 1], right = edges_hz[b + 2];
    for (int64_t k = 0; k < bins; ++k) {
      const double hz = static_cast<double>(k) * spec.sample_rate_hz / static_cast<double>(spec.fft_size);
      const double height = std::max(0.0, std::min((hz - left) / (centre - left), (right - hz) / (right - centre)));
      weights[b * static_cast<size_t>(bins) + static_cast<size_t>(k)] = height * 2 / (right - left);
    }
  }
  return FilterBank(spec.bands, bins, weights, 0);
}

}  // namespace avs::audio
