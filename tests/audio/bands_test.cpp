// Properties of each spectrogram: positions of its bands, and its response to a tone.
#include <algorithm>

#include "audio/cqt.h"
#include "audio/delta.h"
#include "audio/gammatone.h"
#include "audio/mel.h"
#include "tests/audio/support.h"

namespace avs::audio {
namespace {

// The band with the largest response to a tone, in the middle of a clip.
int64_t loudest_band(double hz, SpectrogramKind kind, CqtRange range = CqtRange::FullBand) {
  FeatureExtractor extract(range);
  const Tensor x = extract(to_clip(tone(hz, 10, kSampleRateHz, 2)), kind, Stage::Power);
  int64_t best = 0;
  const auto at = [&](int64_t band) { return x.data<float>()[(band * kSpectrogramFrames + 350) * 2]; };
  for (int64_t band = 1; band < kBands; ++band)
    if (at(band) > at(best)) best = band;
  return best;
}

TEST(Mel, ScaleIsLinearThenLogarithmic) {
  EXPECT_DOUBLE_EQ(hz_to_mel(500), 7.5);
  EXPECT_DOUBLE_EQ(hz_to_mel(1000), 15);
  EXPECT_DOUBLE_EQ(hz_to_mel(6400), 42);
  for (const double hz : {10.0, 999.0, 1001.0, 16000.0}) EXPECT_NEAR(mel_to_hz(hz_to_mel(hz)), hz, 1e-9 * hz);
}

TEST(Mel, TrianglesHaveUnitArea) {
  const FilterBank bank = mel_filter_bank();
  const std::vector<float> weights = bank.dense();
  for (int64_t band = 64; band < 128; ++band) {  // wide enough for a sum over bins to approximate the area
    double area = 0;
    for (int64_t k = 0; k < bank.bins(); ++k)
      area += static_cast<double>(weights[static_cast<size_t>(band * bank.bins() + k)]);
    EXPECT_NEAR(area * 32000 / 4096, 1, 0.02) << "band " << band;
  }
}

TEST(Mel, EveryBandHearsSomething) {
  const FilterBank bank = mel_filter_bank();
  const std::vector<float> weights = bank.dense();
  for (int64_t band = 0; band < bank.bands(); ++band) {
    const auto row = weights.begin() + band * bank.bins();
    EXPECT_GT(*std::max_element(row, row + bank.bins()), 0) << "band " << band;
  }
}

TEST(Gammatone, BandsRiseFromTenHertz) {
  const std::vector<double> centres = erb_space_hz();
  EXPECT_EQ(centres.size(), 128u);
  EXPECT_NEAR(centres.front(), 10, 1e-9);
  EXPECT_LT(centres.back(), 16000);
  for (size_t i = 1; i < centres.size(); ++i) EXPECT_GT(centres[i], centres[i - 1]);
}

TEST(Gammatone, HasUnitGainAtItsCentre) {
  const FilterBank bank = gammatone_filter_bank();
  const std::vector<float> weights = bank.dense();
  const std::vector<double> centres = erb_space_hz();
  for (const size_t band : {60u, 90u, 120u}) {
    const auto row = weights.begin() + static_cast<int64_t>(band) * bank.bins();
    const int64_t nearest = std::lround(centres[band] * 4096 / 32000);
    EXPECT_NEAR(row[nearest] * 4096, 1, 0.02) << "band " << band;
  }
}

TEST(Spectrograms, OfAToneAreLoudestAtItsBand) {
  const std::vector<double> centres = erb_space_hz();
  EXPECT_EQ(loudest_band(centres[70], SpectrogramKind::Gam), 70);
  EXPECT_EQ(loudest_band(9.8 * std::exp2(77 / 12.0), SpectrogramKind::Cqt), 77);
  EXPECT_EQ(loudest_band(10 * std::exp2(100 / 24.0), SpectrogramKind::Cqt, CqtRange::Author), 100);
  const double low = hz_to_mel(10), high = hz_to_mel(16000);
  EXPECT_EQ(loudest_band(mel_to_hz(low + (high - low) * 81 / 129), SpectrogramKind::Mel), 80);
}

TEST(Cqt, RefusesBandsAboveHalfTheSampleRate) {
  const std::string message = message_of<UsageError>([] { Cqt(CqtSpec{.lowest_hz = 20}); });
  EXPECT_THAT(message, testing::HasSubstr("above half the sample rate"));
}

// 130 bands in 11 octaves from 9 Hz, with a hop that can be halved only twice: after that the rate stays and filters
// grow.
TEST(Cqt, StopsHalvingWhereTheHopEnds) {
  Cqt cqt(CqtSpec{.bands = 130, .hop = 500, .lowest_hz = 8.7});
  const Waveform clip = to_clip(tone(8.7 * std::exp2(30 / 12.0), 10, kSampleRateHz, 2));
  const std::span signal(reinterpret_cast<const StereoSample*>(clip.samples.data()),
                         static_cast<size_t>(clip.frames()));
  std::vector<float> out(static_cast<size_t>(130 * 3 * 2));
  cqt.magnitudes(signal, 300, 3, out.data());
  int64_t best = 0;
  for (int64_t band = 0; band < 130; ++band)
    if (out[static_cast<size_t>(band * 6)] > out[static_cast<size_t>(best * 6)]) best = band;
  EXPECT_EQ(best, 30);
}

TEST(Delta, OfAParabolaIsItsSlopeAndCurvature) {
  std::vector<float> x;
  for (int64_t t = 0; t < 20; ++t)
    for (const float scale : {1.0f, -3.0f})
      x.push_back(scale * (0.5f * static_cast<float>(t * t) - 2 * static_cast<float>(t)));
  const Tensor y = stack_deltas(Tensor::from({1, 20, 2}, std::span<const float>(x)));
  ASSERT_EQ(y.shape(), (Shape{1, 20, 6}));
  for (int64_t t = 0; t < 20; ++t) {
    const float* at = y.data<float>() + t * 6;
    const float inside = static_cast<float>(std::clamp<int64_t>(t, 4, 15));  // the edges repeat the last whole window
    EXPECT_EQ(at[0], x[static_cast<size_t>(2 * t)]);
    EXPECT_NEAR(at[2], inside - 2, 1e-4) << "frame " << t;
    EXPECT_NEAR(at[3], -3 * (inside - 2), 1e-4) << "frame " << t;
    EXPECT_NEAR(at[4], 1, 1e-4) << "frame " << t;
    EXPECT_NEAR(at[5], -3, 1e-4) << "frame " << t;
  }
}

TEST(Delta, NeedsNineFrames) {
  EXPECT_THAT(message_of<ShapeError>([] {
                stack_deltas(Tensor::zeros({128, 8, 2}));
              }),
              testing::HasSubstr("[128, 8, 2]"));
}

}  // namespace
}  // namespace avs::audio
