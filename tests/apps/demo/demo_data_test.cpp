// The demo's data is a fair test of fusion, and is reproducible.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "apps/demo/scenes.h"

namespace avs::demo {
namespace {

const PictureFormat kSmall = {.width = 32, .height = 24, .frames_per_second = 4};

TEST(DemoData, EachSightAndEachSoundBelongsToTwoScenesAndEachPairToOne) {
  std::map<Sight, int> sights;
  std::map<Sound, int> sounds;
  std::map<std::pair<Sight, Sound>, int> pairs;
  for (const Scene& scene : kScenes) {
    ++sights[scene.sight];
    ++sounds[scene.sound];
    ++pairs[{scene.sight, scene.sound}];
  }
  for (const auto& [sight, count] : sights) EXPECT_EQ(count, 2);
  for (const auto& [sound, count] : sounds) EXPECT_EQ(count, 2);
  EXPECT_EQ(pairs.size(), kScenes.size());
}

TEST(DemoData, ScenesStandInTheOrderOfClassIds) {
  for (size_t i = 1; i < kScenes.size(); ++i) EXPECT_LT(kScenes[i - 1].name, kScenes[i].name);
}

TEST(DemoData, TheSameSeedGivesTheSamePicturesAndAnotherSeedOthers) {
  for (const Sight sight : {Sight::Sea, Sight::Street, Sight::Hall, Sight::Forest}) {
    const auto once = render_sight(sight, kSmall, 1, Rng(5)).to_vector();
    EXPECT_EQ(once.size(), 4u * 24 * 32 * 3);
    EXPECT_EQ(once, render_sight(sight, kSmall, 1, Rng(5)).to_vector());
    EXPECT_NE(once, render_sight(sight, kSmall, 1, Rng(6)).to_vector());
  }
}

TEST(DemoData, PicturesMove) {
  const Tensor frames = render_sight(Sight::Street, kSmall, 1, Rng(7));
  EXPECT_NE(frames.rows(0, 1).to_vector(), frames.rows(3, 1).to_vector());
}

TEST(DemoData, SoundsAreFiniteStereoWithinRangeAndOfUnlikeLoudnessByChanceOnly) {
  for (const Sound sound : {Sound::Water, Sound::Engine, Sound::Music, Sound::Birds}) {
    const std::vector<float> samples = render_sound(sound, 32000, 1, Rng(8));
    ASSERT_EQ(samples.size(), 64000u);
    double power = 0;
    for (const float s : samples) {
      ASSERT_TRUE(std::isfinite(s) && std::abs(s) <= 1);
      power += static_cast<double>(s) * static_cast<double>(s);
    }
    const double level = std::sqrt(power / 64000);
    EXPECT_GT(level, 0.01);
    EXPECT_LT(level, 0.4);
    EXPECT_EQ(samples, render_sound(sound, 32000, 1, Rng(8)));
    EXPECT_NE(samples, render_sound(sound, 32000, 1, Rng(9)));
  }
}

// The fraction of the left channel's power below 250 Hz: tells a hum from a bird.
double low_share(const std::vector<float>& samples) {
  const double step = 1 - std::exp(-2 * 3.14159265 * 250 / 32000);
  double low = 0, low_power = 0, power = 0;
  for (size_t i = 0; i < samples.size(); i += 2) {
    const auto sample = static_cast<double>(samples[i]);
    low += step * (sample - low);
    low_power += low * low;
    power += sample * sample;
  }
  return low_power / power;
}

TEST(DemoData, EnginesAreLowerThanBirds) {
  double engine = 0, birds = 0;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    engine += low_share(render_sound(Sound::Engine, 32000, 1, Rng(seed)));
    birds += low_share(render_sound(Sound::Birds, 32000, 1, Rng(seed)));
  }
  EXPECT_GT(engine, 3 * birds);
}

}  // namespace
}  // namespace avs::demo
