// The transforms used by the spectrograms, compared with sums in double precision and with libsoxr.
#include <soxr.h>

#include <complex>

#include "audio/decimate.h"
#include "audio/filter_bank.h"
#include "audio/stft.h"
#include "tests/audio/support.h"

namespace avs::audio {
namespace {

std::vector<StereoSample> noise(int64_t n) {
  std::vector<StereoSample> x;
  for (int64_t i = 0; i < n; ++i)
    x.push_back({static_cast<float>(index_noise(i, 11)), static_cast<float>(0.5 * index_noise(i, 12))});
  return x;
}

// One channel's bin by definition: zeros outside the signal, a Hann window centred in the frame.
std::complex<double> bin_by_definition(const std::vector<StereoSample>& x, StftSpec spec, int64_t frame, int64_t k,
                                       float StereoSample::*channel) {
  std::complex<double> sum = 0;
  for (int64_t j = 0; j < spec.window_size; ++j) {
    const int64_t offset = (spec.fft_size - spec.window_size) / 2 + j;
    const int64_t i = frame * spec.hop - spec.fft_size / 2 + offset;
    if (i < 0 || i >= std::ssize(x)) continue;
    const double turn = 2 * std::numbers::pi / static_cast<double>(spec.window_size) * static_cast<double>(j);
    const double window = spec.window == Window::Hann ? 0.5 - 0.5 * std::cos(turn) : 1;
    sum +=
        window * static_cast<double>(x[static_cast<size_t>(i)].*channel) *
        std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(k * offset) / static_cast<double>(spec.fft_size));
  }
  return sum;
}

void expect_stft(StftSpec spec) {
  const std::vector<StereoSample> x = noise(1000);
  StereoStft stft(spec);
  std::vector<float> out(static_cast<size_t>(4 * stft.bins()));
  for (const int64_t frame : {int64_t{0}, int64_t{3}, frame_count(1000, spec.hop) - 1}) {
    float* const p = out.data();
    power_of_both(stft.transform(x, frame), spec.fft_size,
                  {p, p + stft.bins(), p + 2 * stft.bins(), p + 3 * stft.bins()});
    for (int64_t k = 0; k < stft.bins(); k += 5) {
      const double left = std::abs(bin_by_definition(x, spec, frame, k, &StereoSample::re));
      const double right = std::abs(bin_by_definition(x, spec, frame, k, &StereoSample::im));
      ASSERT_NEAR(p[k], left * left, 2e-4) << "frame " << frame << ", bin " << k;
      ASSERT_NEAR(p[stft.bins() + k], right * right, 2e-4) << "frame " << frame << ", bin " << k;
      ASSERT_NEAR(p[2 * stft.bins() + k], left, 2e-4);
      ASSERT_NEAR(p[3 * stft.bins() + k], right, 2e-4);
    }
  }
}

TEST(Stft, MatchesTheDefinition) { expect_stft({.fft_size = 256, .window_size = 160, .hop = 60}); }

TEST(Stft, WithARectangularWindowMatchesTheDefinition) {
  expect_stft({.fft_size = 128, .window_size = 128, .hop = 7, .window = Window::Rectangular});
}

TEST(Stft, RefusesAWindowLongerThanTheTransform) {
  EXPECT_THAT(message_of<ShapeError>([] { StereoStft({.fft_size = 256, .window_size = 300}); }),
              testing::HasSubstr("window of 300"));
  EXPECT_THAT(message_of<ShapeError>([] { StereoStft({.fft_size = 300, .window_size = 300}); }),
              testing::HasSubstr("power of two"));
}

TEST(RateHalver, IsLibsoxrsHighQualityConverter) {
  for (const int64_t n : {int64_t{1}, int64_t{17}, int64_t{4096}, int64_t{10000}, int64_t{10001}}) {
    const std::vector<StereoSample> x = noise(n);
    std::vector<StereoSample> y;
    RateHalver halve;
    halve(x, y);
    ASSERT_EQ(std::ssize(y), (n + 1) / 2);
    std::vector<float> expected(2 * y.size());
    const soxr_quality_spec_t quality = soxr_quality_spec(SOXR_HQ, 0);
    size_t read = 0, written = 0;
    soxr_oneshot(2, 1, 2, x.data(), x.size(), &read, expected.data(), y.size(), &written, nullptr, &quality, nullptr);
    const std::span<const float> got(&y.front().re, 2 * written);
    EXPECT_LT(relative_norm_error(got, std::span<const float>(expected).first(2 * written)), 2e-6) << n << " samples";
  }
}

TEST(FilterBank, AppliesItsMatrixToEveryColumn) {
  constexpr int64_t bands = 8, bins = 21, columns = 6;
  std::vector<double> weights(bands * bins);
  for (int64_t b = 0; b < bands; ++b)  // spans of all lengths, and an empty row
    for (int64_t k = b; k < 3 * b; ++k)
      weights[static_cast<size_t>(b * bins + std::min<int64_t>(k, 20))] = 1 + 0.1 * static_cast<double>(k * b);
  const FilterBank bank(bands, bins, weights, 0);
  AlignedVector<float> x(static_cast<size_t>(columns * bank.column_stride()));
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(index_noise(static_cast<int64_t>(i), 5));
  std::vector<float> y(bands * columns), expected;
  bank.apply(x.data(), columns, y.data());
  for (int64_t c = 0; c < columns; ++c)
    for (int64_t b = 0; b < bands; ++b) {
      double sum = 0;
      for (int64_t k = 0; k < bins; ++k)
        sum += weights[static_cast<size_t>(b * bins + k)] *
               static_cast<double>(x[static_cast<size_t>(c * bank.column_stride() + k)]);
      expected.push_back(static_cast<float>(sum));
    }
  EXPECT_LT(relative_norm_error(y, expected), 1e-6);
}

}  // namespace
}  // namespace avs::audio
