// From a clip to the networks' input, compared with librosa and detly/gammatone.
#include "audio/features.h"

#include <thread>

#include "audio/delta.h"
#include "tests/audio/support.h"

namespace avs {
namespace {

constexpr int64_t kGoldenFrames = 32;

// The frames in the golden files, channels first .. first + count - 1: [128, 32, count].
std::vector<float> golden_part(const Tensor& x, int64_t first, int64_t count) {
  const int64_t frames = x.shape()[1], channels = x.shape()[2];
  std::vector<float> part;
  for (int64_t band = 0; band < x.shape()[0]; ++band)
    for (int64_t i = 0; i < kGoldenFrames; ++i)
      for (int64_t c = first; c < first + count; ++c)
        part.push_back(x.data<float>()[(band * frames + 7 + 22 * i) * channels + c]);
  return part;
}

// Measured on three signals: MEL 1e-7, GAM 1e-6, CQT 1e-6; deltas of logarithms 4e-5 in silent CQT bands.
void expect_golden(const Waveform& clip, const std::string& signal, SpectrogramKind kind, CqtRange range,
                   const std::string& what, double tolerance) {
  FeatureExtractor extract(range);
  const Tensor power = extract(clip, kind, Stage::Power);
  const std::string name = signal + "-" + what;
  EXPECT_LT(relative_norm_error(golden_part(power, 0, 2), golden(name)), tolerance) << name;
}

// The logarithm amplifies rounding errors by hundreds in bins with a millionth of the maximum.
constexpr double kDeltas = 5e-4;

void expect_golden_deltas(const Waveform& clip, const std::string& signal, SpectrogramKind kind, CqtRange range,
                          const std::string& what) {
  FeatureExtractor extract(range);
  const Tensor deltas = extract(clip, kind, Stage::Delta);
  const std::string name = signal + "-" + what + "-deltas";
  EXPECT_LT(relative_norm_error(golden_part(deltas, 2, 4), golden(name)), kDeltas) << name;
}

void expect_all_golden(const Waveform& clip, const std::string& signal) {
  expect_golden(clip, signal, SpectrogramKind::Mel, CqtRange::FullBand, "mel", 1e-5);
  expect_golden(clip, signal, SpectrogramKind::Gam, CqtRange::FullBand, "gam", 1e-5);
  expect_golden(clip, signal, SpectrogramKind::Cqt, CqtRange::FullBand, "cqt12", 1e-5);
  expect_golden(clip, signal, SpectrogramKind::Cqt, CqtRange::Author, "cqt24", 1e-5);
}

TEST(Features, MatchLibrosaAndGammatoneOnASyntheticSignal) { expect_all_golden(synthetic_clip(), "synthetic"); }

TEST(Features, MatchLibrosaAndGammatoneOnRealRecordings) {
  for (const std::string stem : {"airport-paris-9-402", "park-london-96-2689"}) {
    AVS_TEST_DATA(path, "tau_wavs/" + stem + ".wav");
    const std::optional<Waveform> clip = load_clip(path);
    ASSERT_TRUE(clip);
    expect_all_golden(*clip, stem);
  }
}

TEST(Features, DeltasMatchLibrosa) {
  expect_golden_deltas(synthetic_clip(), "synthetic", SpectrogramKind::Mel, CqtRange::FullBand, "mel");
  expect_golden_deltas(synthetic_clip(), "synthetic", SpectrogramKind::Gam, CqtRange::FullBand, "gam");
  expect_golden_deltas(synthetic_clip(), "synthetic", SpectrogramKind::Cqt, CqtRange::FullBand, "cqt12");
  expect_golden_deltas(synthetic_clip(), "synthetic", SpectrogramKind::Cqt, CqtRange::Author, "cqt24");
}

TEST(Features, DeltasOfARecordingMatchLibrosa) {
  AVS_TEST_DATA(path, "tau_wavs/airport-paris-9-402.wav");
  const Waveform clip = load_clip(path).value();
  expect_golden_deltas(clip, "airport-paris-9-402", SpectrogramKind::Mel, CqtRange::FullBand, "mel");
  expect_golden_deltas(clip, "airport-paris-9-402", SpectrogramKind::Gam, CqtRange::FullBand, "gam");
  expect_golden_deltas(clip, "airport-paris-9-402", SpectrogramKind::Cqt, CqtRange::FullBand, "cqt12");
  expect_golden_deltas(clip, "airport-paris-9-402", SpectrogramKind::Cqt, CqtRange::Author, "cqt24");
}

TEST(Features, LogIsTheLogarithmOfPowerPlusAnOffset) {
  FeatureExtractor extract;
  const std::vector<float> power = extract(synthetic_clip(), SpectrogramKind::Mel, Stage::Power).to_vector();
  const std::vector<float> log = extract(synthetic_clip(), SpectrogramKind::Mel, Stage::Log).to_vector();
  for (size_t i = 0; i < power.size(); i += 7)
    ASSERT_NEAR(log[i], std::log(static_cast<double>(power[i]) + 1e-8), 2e-6) << "x = " << power[i];
}

TEST(Features, OfSilenceAreTheLogarithmOfTheOffset) {
  const Waveform silence{
      .sample_rate_hz = kSampleRateHz, .channels = 2, .samples = std::vector<float>(2 * kClipSamples)};
  FeatureExtractor extract;
  for (const SpectrogramKind kind : {SpectrogramKind::Mel, SpectrogramKind::Gam, SpectrogramKind::Cqt}) {
    const Tensor log = extract(silence, kind, Stage::Log);
    for (const float x : log.to_vector()) ASSERT_FLOAT_EQ(x, std::log(1e-8f)) << name_of(kind);
  }
}

TEST(Features, HaveTheShapeOfTheirStage) {
  FeatureExtractor extract;
  EXPECT_EQ(extract(synthetic_clip(), SpectrogramKind::Cqt, Stage::Power).shape(), (Shape{128, 704, 2}));
  EXPECT_EQ(extract(synthetic_clip(), SpectrogramKind::Gam, Stage::Log).shape(), (Shape{128, 704, 2}));
  EXPECT_EQ(extract(synthetic_clip(), SpectrogramKind::Mel, Stage::Delta).shape(), (Shape{128, 704, 6}));
}

TEST(Features, OfSeveralKindsTogetherAreThoseOfEachAlone) {
  const Waveform clip = synthetic_clip();
  const std::vector<SpectrogramKind> kinds = {SpectrogramKind::Cqt, SpectrogramKind::Gam, SpectrogramKind::Mel};
  FeatureExtractor extract;
  const std::vector<Tensor> together = extract(clip, kinds, Stage::Delta);
  for (size_t i = 0; i < kinds.size(); ++i)
    EXPECT_EQ(together[i].to_vector(), extract(clip, kinds[i], Stage::Delta).to_vector()) << name_of(kinds[i]);
}

TEST(Features, OfAClipDoNotDependOnTheClipBefore) {
  FeatureExtractor fresh, used;
  const std::vector<SpectrogramKind> kinds = {SpectrogramKind::Mel, SpectrogramKind::Cqt};
  used(to_clip(tone(700, 10, 44100, 2)), kinds, Stage::Log);
  const auto expected = fresh(synthetic_clip(), kinds, Stage::Log), got = used(synthetic_clip(), kinds, Stage::Log);
  for (size_t i = 0; i < kinds.size(); ++i) EXPECT_EQ(got[i].to_vector(), expected[i].to_vector());
}

TEST(Features, OnTwoThreadsAreThoseOfOne) {
  const Waveform clip = synthetic_clip();
  FeatureExtractor extract;
  const std::vector<float> expected = extract(clip, SpectrogramKind::Mel, Stage::Delta).to_vector();
  std::vector<std::vector<float>> got(2);
  {
    std::vector<std::jthread> threads;
    for (std::vector<float>& mine : got)
      threads.emplace_back([&] {
        FeatureExtractor own;
        mine = own(clip, SpectrogramKind::Mel, Stage::Delta).to_vector();
      });
  }
  EXPECT_EQ(got[0], expected);
  EXPECT_EQ(got[1], expected);
}

TEST(Features, ExchangeWithTheChannels) {
  Waveform clip = synthetic_clip();
  FeatureExtractor extract;
  const Tensor before = extract(clip, SpectrogramKind::Gam, Stage::Power);
  for (size_t t = 0; t < clip.samples.size(); t += 2) std::swap(clip.samples[t], clip.samples[t + 1]);
  const Tensor after = extract(clip, SpectrogramKind::Gam, Stage::Power);
  std::vector<float> exchanged = after.to_vector();
  for (size_t i = 0; i < exchanged.size(); i += 2) std::swap(exchanged[i], exchanged[i + 1]);
  EXPECT_LT(relative_norm_error(exchanged, before.to_vector()), 1e-6);
}

TEST(Features, RefuseASoundOfAnotherShape) {
  FeatureExtractor extract;
  const std::string message =
      message_of<ShapeError>([&] { extract(tone(440, 10, 44100, 2), SpectrogramKind::Mel, Stage::Log); });
  EXPECT_THAT(message, testing::HasSubstr("expected 2 channels, 32000 Hz, 320000 frames; got 2 channels, 44100 Hz"));
}

TEST(Features, KnowTheirNames) {
  for (const SpectrogramKind kind : {SpectrogramKind::Mel, SpectrogramKind::Gam, SpectrogramKind::Cqt})
    EXPECT_EQ(spectrogram_kind_of(name_of(kind)), kind);
  EXPECT_THAT(message_of<UsageError>([] { spectrogram_kind_of("mfcc"); }), testing::HasSubstr("'mfcc'"));
}

}  // namespace
}  // namespace avs
