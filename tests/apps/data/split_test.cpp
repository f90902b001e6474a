#include "apps/data/split.h"

#include <algorithm>

#include "tests/models/data/small_data.h"

namespace avs::data {
namespace {

using test::Folder;
using test::small_options;
using test::write_picture;
using test::write_text;
namespace fs = std::filesystem;

PrepareOptions options_for(const Folder& folder, const std::string& data, uint64_t seed) {
  PrepareOptions options = small_options(folder / data, folder / (data + ".cache"));
  options.arrays.spectrograms.kinds.clear();
  options.split.seed = seed;
  return options;
}

using Splits = std::map<std::string, Split>;

Splits splits_of(const PrepareReport& report) {
  Splits splits;
  for (const CachedClip& clip : report.clips) splits[clip.name] = clip.split;
  return splits;
}

std::vector<std::string> names_in(const Splits& splits, Split wanted) {
  std::vector<std::string> names;
  for (const auto& [name, split] : splits)
    if (split == wanted) names.push_back(name);
  return names;
}

// Caches and runs of earlier versions were cut so; a seed must go on giving the same split.
TEST(SplitOf, AFolderWhoseFilesAllDecodeIsTheSameInEveryVersion) {
  const Folder folder;
  for (const std::string label : {"bus", "park"})
    for (int i = 0; i < 10; ++i) {
      write_picture(folder / "clips" / label / str("clip", i, ".bmp"));
      write_picture(folder / "recordings" / label / str(label, "-paris-", i / 2, "-", i, ".bmp"));
    }
  const Splits clips = splits_of(prepare(options_for(folder, "clips", 3)));
  EXPECT_EQ(names_in(clips, Split::Test),
            (std::vector<std::string>{"bus/clip1.bmp", "bus/clip4.bmp", "bus/clip5.bmp", "park/clip1.bmp",
                                      "park/clip7.bmp", "park/clip8.bmp"}));
  EXPECT_EQ(names_in(clips, Split::Validation), (std::vector<std::string>{"bus/clip7.bmp", "park/clip3.bmp"}));

  const PrepareReport report = prepare(options_for(folder, "recordings", 3));
  EXPECT_EQ(report.header.validation_cut, "by recording");
  const Splits recordings = splits_of(report);
  EXPECT_EQ(names_in(recordings, Split::Test),
            (std::vector<std::string>{"bus/bus-paris-0-0.bmp", "bus/bus-paris-0-1.bmp", "bus/bus-paris-3-6.bmp",
                                      "bus/bus-paris-3-7.bmp", "park/park-paris-0-0.bmp", "park/park-paris-0-1.bmp",
                                      "park/park-paris-4-8.bmp", "park/park-paris-4-9.bmp"}));
  EXPECT_EQ(names_in(recordings, Split::Validation),
            (std::vector<std::string>{"bus/bus-paris-1-2.bmp", "bus/bus-paris-1-3.bmp", "park/park-paris-1-2.bmp",
                                      "park/park-paris-1-3.bmp"}));
}

TEST(SplitOf, AFolderWithFilesBesideTheClipsIsTheOneOfTheClipsAlone) {
  const Folder folder;
  for (const std::string label : {"bus", "park"})
    for (int i = 0; i < 4; ++i) {
      write_picture(folder / "bare" / label / str("v", i, ".bmp"));
      write_picture(folder / "sidecars" / label / str("v", i, ".bmp"));
      for (const std::string end : {".info.json", ".description", ".vtt", ".srt", ".txt"})
        write_text(folder / "sidecars" / label / str("v", i, end), "{}");
    }
  for (uint64_t seed = 0; seed < 4; ++seed) {
    const PrepareReport report = prepare(options_for(folder, "sidecars", seed));
    EXPECT_EQ(report.failure, "");
    EXPECT_EQ(splits_of(report), splits_of(prepare(options_for(folder, "bare", seed)))) << "seed " << seed;
    EXPECT_EQ(splits_of(report), splits_of(prepare(options_for(folder, "sidecars", seed)))) << "prepared again";
    for (const Split split : {Split::Validation, Split::Test})
      for (int64_t label = 0; label < 2; ++label)
        EXPECT_EQ(std::ranges::count_if(
                      report.clips, [&](const CachedClip& clip) { return clip.split == split && clip.label == label; }),
                  1)
            << name_of(split) << " clips of class " << label << ", seed " << seed;
  }
}

TEST(SplitOf, AFolderWhoseTestClipsAreAllBrokenTakesNoneFromTraining) {
  const Folder folder;
  for (const std::string label : {"bus", "park"}) {
    for (int i = 0; i < 4; ++i) write_picture(folder / "data/train" / label / str(i, ".bmp"));
    write_text(folder / "data/test" / label / "broken.mp4", "x");
  }
  EXPECT_TRUE(names_in(splits_of(prepare(options_for(folder, "data", 0))), Split::Test).empty());
}

}  // namespace
}  // namespace avs::data
