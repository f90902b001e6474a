// Tests what prepare reports of a realistic folder: clips among many kinds of entries that are none.
#include <sys/stat.h>

#include <regex>

#include "tests/apps/data/layouts.h"

namespace avs::data {
namespace {

using test::Folder;
using test::small_options;
using test::write_clip;
using test::write_picture;
using test::write_text;
namespace fs = std::filesystem;

void write_field_folder(const fs::path& root) {
  for (const std::string split : {"Train", "Valid", "Test"})
    for (const std::string label : {"bus", "park"})
      for (int i = 0; i < (split == "Train" ? 4 : 2); ++i) {
        if (split == "Valid" && label == "park") continue;
        const fs::path folder = root / split / label;
        write_picture(folder / str(split, i, ".bmp"));
        for (const std::string end : {".info.json", ".description", ".vtt"})
          write_text(folder / str(split, i, end), "{}");
      }
  const fs::path bus = root / "Train/bus", park = root / "Train/park";
  write_clip(bus / "film.mp4", 1, 0.5, test::Holds::PictureOnly);
  write_text(bus / "film.jpg", "a thumbnail");
  write_text(bus / "broken.mp4", "not a film");
  write_text(bus / "Thumbs.db", "x");
  write_text(root / "__MACOSX/Train/bus/._film.mp4", "x");
  write_text(root / "Train/@eaDir/film.mp4/x.jpg", "x");
  fs::create_directories(root / "lost+found");
  fs::create_symlink("..", bus / "up");
  fs::create_symlink("nowhere.mp4", bus / "dangling.mp4");
  ASSERT_EQ(::mkfifo((bus / "pipe.mp4").c_str(), 0600), 0);
  write_picture(park / "caf\xe9.bmp");
  write_picture(park / "tab\there.bmp");
}

TEST(FieldFolder, IsReadRightAndToldShortly) {
  const Folder folder;
  write_field_folder(folder / "data");
  PrepareOptions options = small_options(folder / "data", folder / "cache");
  options.arrays.spectrograms.kinds.clear();
  const PrepareReport report = prepare(options);
  EXPECT_EQ(report.failure, "");
  std::string told = std::regex_replace(describe(report), std::regex("; [0-9.]+ s, [0-9.]+ clips/s"), "");
  // The decoder's own words come from FFmpeg.
  told = std::regex_replace(told, std::regex("(broken.mp4: )[^\n]+"), "$1BROKEN");
  told = std::regex_replace(told, std::regex("(Test0[.a-z]+: )[^\n]+"), "$1NO MEDIA");
  const std::string root = fs::canonical(folder / "data").string();
  for (size_t at; (at = told.find(root)) != std::string::npos;) told.replace(at, root.size(), "DATA");
  EXPECT_EQ(told, R"(DATA: 16 clips, 2 classes (split folders layout; validation split as given)
class    train  validation     test
bus          5           2        2
park         5           0        2
total       10           2        4
no validation clip of 1 of 2 classes: park
skipped: 48
  DATA/Train/bus/dangling.mp4: is a link to nothing
  DATA/Train/bus/pipe.mp4: is a named pipe, not a file
  DATA/Train/park/caf\xe9.bmp: its name is not UTF-8; rename it
  DATA/Train/bus/broken.mp4: BROKEN
  DATA/Train/bus/up: is a link to a folder around it
  DATA/Train/bus/film.jpg: is the thumbnail of the video beside it
  14 *.description files, no clip among them; the first: DATA/Test/bus/Test0.description: NO MEDIA
  14 *.json files, no clip among them; the first: DATA/Test/bus/Test0.info.json: NO MEDIA
  14 *.vtt files, no clip among them; the first: DATA/Test/bus/Test0.vtt: NO MEDIA
16 decoded, 0 already there, 48 skipped
)");

  const std::map<std::string, std::string> made = test::contents_of(folder / "cache");
  EXPECT_EQ(prepare(options).made, 0);
  EXPECT_EQ(test::contents_of(folder / "cache"), made) << "the same again";
  EXPECT_EQ(Cache::open(folder / "cache").clips().size(), report.clips.size()) << "the index holds every name";
}

}  // namespace
}  // namespace avs::data
