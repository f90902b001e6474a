// Sample rates, channels and lengths: the steps from decoded sound to a clip.
#include "audio/resample.h"

#include <sys/resource.h>

#include <cstdlib>
#include <new>

#include "tests/audio/support.h"

namespace avs {
namespace {

double decibels_above_difference(std::span<const float> got, std::span<const float> expected) {
  return -20 * std::log10(relative_norm_error(got, expected));
}

void expect_soxr(int64_t rate_hz) {
  const Waveform y = resample(synthetic(rate_hz, rate_hz));
  ASSERT_EQ(y.frames(), 32000);
  std::vector<float> part(y.samples.begin(), y.samples.begin() + 2000);  // frames 0.. and 16000.., two channels
  part.insert(part.end(), y.samples.begin() + 32000, y.samples.begin() + 34000);
  EXPECT_GT(decibels_above_difference(part, golden("resampled-" + std::to_string(rate_hz))), 110);
}

TEST(Resample, From44100HertzMatchesSoxr) { expect_soxr(44100); }
TEST(Resample, From48000HertzMatchesSoxr) { expect_soxr(48000); }

TEST(Resample, KeepsAToneWhateverTheRate) {
  for (const int64_t rate_hz : {8000, 11025, 22050, 32000, 96000, 192000}) {
    const Waveform y = resample(tone(1000, 1, rate_hz, 1));
    ASSERT_EQ(y.frames(), 32000) << rate_hz;
    const Waveform expected = tone(1000, 1, 32000, 1);
    const auto middle = [](const Waveform& w) { return std::span<const float>(w.samples).subspan(4000, 24000); };
    EXPECT_GT(decibels_above_difference(middle(y), middle(expected)), 100) << rate_hz;
  }
}

TEST(Resample, OfTheSameRateChangesNothing) {
  EXPECT_EQ(resample(tone(1000, 1, 32000, 2)).samples, tone(1000, 1, 32000, 2).samples);
}

// The resampler's filters are longer than such a sound, and would return no samples.
TEST(Resample, OfAFewSamplesGivesAsManyAsTheirTimeHas) {
  for (const int64_t rate_hz : {1, 8000, 96000, 192000, 2822400})
    for (const int64_t frames : {1, 2, 7})
      EXPECT_EQ(resample({.sample_rate_hz = rate_hz,
                          .channels = 1,
                          .samples = std::vector<float>(static_cast<size_t>(frames), 0.5f)})
                    .frames(),
                (frames * 32000 + rate_hz - 1) / rate_hz)
          << frames << " at " << rate_hz;
}

TEST(Resample, LooksForMemoryBeforeItsLibraryDoesNot) {
  rlimit limit = {};
  ASSERT_EQ(::getrlimit(RLIMIT_AS, &limit), 0);
  const Waveform sound = tone(440, 0.01, 48000, 1);
  const rlimit none = {16 << 20, limit.rlim_max};  // less than the program has allocated already
  std::vector<void*> taken(1000);
  bool is_refused = false;
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &none), 0);
  for (void*& block : taken)
    if ((block = std::malloc(8 << 20)) == nullptr) break;  // use up memory that earlier tests freed
  try {
    resample(sound);
  } catch (const std::bad_alloc&) {
    is_refused = true;
  }
  for (void* block : taken) std::free(block);
  ::setrlimit(RLIMIT_AS, &limit);
  EXPECT_TRUE(is_refused);
}

TEST(Stereo, DuplicatesMono) {
  const Waveform y = to_stereo({.sample_rate_hz = 8000, .channels = 1, .samples = {0.5f, -1}});
  EXPECT_THAT(y.samples, testing::ElementsAre(0.5f, 0.5f, -1, -1));
}

TEST(Stereo, DownmixesEveryChannelAsDocumented) {
  constexpr float h = 0.70710678f;
  // For 3..8 channels: left and right if one channel alone is 1.
  const std::vector<std::vector<std::pair<float, float>>> expected = {
      {{1, 0}, {0, 1}, {h, h}},
      {{1, 0}, {0, 1}, {h, 0}, {0, h}},
      {{1, 0}, {0, 1}, {h, h}, {h, 0}, {0, h}},
      {{1, 0}, {0, 1}, {h, h}, {0, 0}, {h, 0}, {0, h}},
      {{1, 0}, {0, 1}, {h, h}, {0, 0}, {0.5f, 0.5f}, {h, 0}, {0, h}},
      {{1, 0}, {0, 1}, {h, h}, {0, 0}, {h, 0}, {0, h}, {h, 0}, {0, h}}};
  for (const auto& gains : expected)
    for (size_t c = 0; c < gains.size(); ++c) {
      Waveform x{.sample_rate_hz = 8000, .channels = std::ssize(gains), .samples = std::vector<float>(gains.size())};
      x.samples[c] = 1;
      EXPECT_THAT(to_stereo(x).samples, testing::ElementsAre(gains[c].first, gains[c].second))
          << "channel " << c << " of " << gains.size();
    }
}

TEST(Stereo, RefusesMoreThanEightChannels) {
  EXPECT_THAT(message_of<ShapeError>([] { to_stereo({.sample_rate_hz = 8000, .channels = 9, .samples = {}}); }),
              testing::HasSubstr("9 channels, expected 1 to 8"));
}

TEST(Clip, RepeatsAShortSoundFromItsBeginning) {
  const Waveform three{.sample_rate_hz = kSampleRateHz, .channels = 2, .samples = {1, 2, 3, 4, 5, 6}};
  const Waveform eight = fit_length(three, 8);
  EXPECT_THAT(eight.samples, testing::ElementsAre(1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5, 6, 1, 2, 3, 4));
}

TEST(Clip, CanEndInSilenceInstead) {
  const Waveform one{.sample_rate_hz = kSampleRateHz, .channels = 1, .samples = {1}};
  EXPECT_THAT(fit_length(one, 3, ShortClip::PadWithSilence).samples, testing::ElementsAre(1, 0, 0));
}

TEST(Clip, CutsALongSound) {
  const Waveform clip = to_clip(tone(300, 12.5, 44100, 1));
  EXPECT_EQ(clip.frames(), kClipSamples);
  EXPECT_EQ(clip.channels, 2);
  EXPECT_EQ(clip.sample_rate_hz, kSampleRateHz);
}

TEST(Clip, NeedsSamples) {
  EXPECT_THAT(message_of<ShapeError>([] { to_clip({.sample_rate_hz = 44100, .channels = 2, .samples = {}}); }),
              testing::HasSubstr("without samples"));
}

}  // namespace
}  // namespace avs
