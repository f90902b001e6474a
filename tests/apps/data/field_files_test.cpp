// Files that people really have (damaged, joined, cut, interlaced, with a palette, …), at hand where the data folder
// is: the number of frames and the mean level of each, as PyAV and the ffmpeg program show them.
#include <gmock/gmock.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/data/clip_features.h"

namespace avs::data {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class FieldFiles : public testing::Test {
 protected:
  void SetUp() override {
    const char* root = std::getenv("AVS_DATA");
    folder_ = std::filesystem::path(root != nullptr ? root : AVS_SOURCE_DIR "/../shared/data") / "field";
    if (!std::filesystem::exists(folder_)) GTEST_SKIP() << "no field files at " << folder_;
  }

  ClipArrays decode(const std::string& name) {
    ClipDecoder decoder({.image_size = 64}, {.kinds = {Modality::Mel}});
    return decoder(folder_ / "media" / name, folder_ / "media" / name);
  }

  static std::vector<double> mean_levels(const Tensor& frames) {
    std::vector<double> levels;
    const int64_t bytes = frames.size() / frames.shape()[0];
    for (int64_t k = 0; k < frames.shape()[0]; ++k) {
      double sum = 0;
      for (int64_t i = 0; i < bytes; ++i) sum += frames.data<uint8_t>()[k * bytes + i];
      levels.push_back(sum / static_cast<double>(bytes));
    }
    return levels;
  }

  // Frames, their levels and the note of a file; a damaged one may repeat pictures for what is missing.
  void expect_as_others_show(const std::string& name, const testing::Matcher<std::string>& note) {
    const nlohmann::json expected = nlohmann::json::parse(std::ifstream(folder_ / "expected.json")).at(name);
    const ClipArrays clip = decode(name);
    ASSERT_EQ(clip.parts[0].first, Modality::Frames);
    const std::vector<double> levels = mean_levels(clip.parts[0].second);
    const auto count = expected.at("frames").get<size_t>();
    if (expected.contains("note"))
      EXPECT_GE(levels.size(), count);
    else
      EXPECT_EQ(levels.size(), count);
    for (size_t k = 0; k < std::min(count, levels.size()); ++k)
      EXPECT_NEAR(levels[k], expected.at("mean_levels")[k].get<double>(), 2.5)
          << "frame " << k;  // a picture, or rounding
    EXPECT_THAT(clip.note, note);
  }

  std::filesystem::path folder_;
};

TEST_F(FieldFiles, InFieldsAreTheirFrames) { expect_as_others_show("field_coded.ts", "no sound"); }
TEST_F(FieldFiles, WithAPaletteHaveItsColours) { expect_as_others_show("palette.avi", "no sound"); }
TEST_F(FieldFiles, ThatBeginLaterAreWhole) { expect_as_others_show("fragment_from_8s.mp4", ""); }
TEST_F(FieldFiles, WhoseClockWrapsAreWhole) { expect_as_others_show("clock_wrap.ts", ""); }
TEST_F(FieldFiles, WithLongerChaptersAreWhole) { expect_as_others_show("chapters_longer.mp4", ""); }
TEST_F(FieldFiles, JoinedByteByByteAreBothParts) { expect_as_others_show("two_joined.ts", ""); }
TEST_F(FieldFiles, ThatAreAnimationsAreAllTheirFrames) { expect_as_others_show("animated.apng", "no sound"); }
TEST_F(FieldFiles, WithAWrongHeaderAreKeptWithANote) {
  expect_as_others_show("header_says_14s.flv", HasSubstr("the header promises 14.0 s, the file holds 6.0 s"));
}
TEST_F(FieldFiles, WithADamagedTailSayFromWhereOn) {
  expect_as_others_show("damaged_tail.mp4", HasSubstr("its pictures are damaged from second 2.9 on"));
}

TEST_F(FieldFiles, OfAnAnimatedWebPAreRefusedInOneLine) {
  try {
    decode("animated.webp");
    FAIL() << "was read";
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("animated.webp: an animated WebP picture, which this FFmpeg"));
  }
}

// PIL's exif_transpose: the corners of the upright picture.
TEST_F(FieldFiles, WithAnExifTurnAreTurned) {
  constexpr std::array<std::array<int, 3>, 4> expected = {
      {{33, 165, 13}, {33, 21, 187}, {225, 165, 13}, {225, 21, 187}}};
  for (const std::string name : {"exif6.png", "exif6.webp"}) {
    const Tensor frame = decode(name).parts[0].second;
    for (size_t corner = 0; corner < 4; ++corner) {
      const size_t y = corner < 2 ? 8 : 56, x = corner % 2 == 0 ? 8 : 56;
      for (size_t c = 0; c < 3; ++c)
        EXPECT_NEAR(frame.data<uint8_t>()[(y * 64 + x) * 3 + c], expected[corner][c], 2)
            << name << ", corner " << corner;
    }
  }
}

}  // namespace
}  // namespace avs::data
