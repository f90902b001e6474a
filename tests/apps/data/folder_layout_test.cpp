#include <sys/stat.h>

#include <set>

#include "apps/data/layout.h"
#include "tests/apps/data/layouts.h"

namespace avs::data {
namespace {

using test::error_of;
using test::Folder;
using test::write_text;
namespace fs = std::filesystem;

void write_classes(const fs::path& parent, const std::vector<std::string>& classes, int files) {
  for (const std::string& name : classes)
    for (int i = 0; i < files; ++i) write_text(parent / name / str("clip", i, ".mp4"), "x");
}

TEST(FolderLayout, OfClassesIsSplitWithEveryClassEverywhere) {
  const Folder folder;
  write_classes(folder.path(), {"tram", "bus", "train"}, 20);
  write_text(folder / "bus/.DS_Store", "x");
  const CutLayout layout = cut_layout(folder.path());
  EXPECT_EQ(layout.kind, "class folders");
  EXPECT_EQ(layout.classes, (std::vector<std::string>{"bus", "train", "tram"}));
  for (const std::string& name : layout.classes) {
    EXPECT_EQ(count(layout, Split::Test, name), 6) << name;
    EXPECT_EQ(count(layout, Split::Validation, name), 2) << name;
    EXPECT_EQ(count(layout, Split::Train, name), 12) << name;
  }
  EXPECT_EQ(layout.validation_cut, "by clip");
  EXPECT_EQ(layout.clips[0].name, "bus/clip0.mp4");
  EXPECT_EQ(layout.clips[0].audio, layout.clips[0].video);
}

TEST(FolderLayout, KeepsEqualNamesOfDifferentFoldersApart) {
  const Folder folder;
  write_classes(folder / "train", {"a", "b"}, 3);
  write_classes(folder / "test", {"a", "b"}, 3);
  const Layout layout = read_layout(folder.path());
  EXPECT_EQ(layout.kind, "split folders");
  std::set<std::string> names;
  for (const Clip& clip : layout.clips) names.insert(clip.name);
  EXPECT_EQ(names.size(), 12u);
  EXPECT_TRUE(names.contains("train/a/clip0.mp4") && names.contains("test/a/clip0.mp4"));
  EXPECT_EQ(count(layout, Split::Test), 6);
}

TEST(FolderLayout, TakesAValidationFolderAsGiven) {
  const Folder folder;
  for (const std::string split : {"train", "val", "test"}) write_classes(folder / split, {"a", "b"}, 2);
  const CutLayout layout = cut_layout(folder.path());
  EXPECT_EQ(layout.validation_cut, "as given");
  EXPECT_EQ(count(layout, Split::Validation), 4);
}

TEST(FolderLayout, KnowsSplitsByTheNamesThatPeopleGiveThem) {
  struct Names {
    std::string train, validation, test;
  };
  for (const Names& names : std::vector<Names>{{"train", "valid", "test"},
                                               {"Train", "Validation", "Test"},
                                               {"TRAIN", "VAL", "TEST"},
                                               {"training", "development", "testing"},
                                               {"train", "dev", "eval"},
                                               {"train", "eval", "test"},
                                               {"train_set", "val-split", "Test Data"},
                                               {"trainset", "devset", "evaluation"}}) {
    const Folder folder;
    write_classes(folder / names.train, {"a", "b"}, 3);
    write_classes(folder / names.validation, {"a", "b"}, 2);
    write_classes(folder / names.test, {"a", "b"}, 1);
    const CutLayout layout = cut_layout(folder.path());
    EXPECT_EQ(layout.kind, "split folders") << names.train;
    EXPECT_EQ(layout.classes, (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(layout.validation_cut, "as given");
    EXPECT_EQ(count(layout, Split::Train), 6) << names.train;
    EXPECT_EQ(count(layout, Split::Validation), 4) << names.validation;
    EXPECT_EQ(count(layout, Split::Test), 2) << names.test;
  }
  const Folder folder;
  for (const std::string split : {"Train", "Test"}) write_classes(folder / split, {"a", "b"}, 3);
  EXPECT_EQ(cut_layout(folder.path()).validation_cut, "by clip");
}

TEST(FolderLayout, SaysWhatItExpectsWhereSplitsAndClassesCannotBeToldApart) {
  const auto error_with = [](const std::vector<std::string>& folders) {
    const Folder folder;
    for (const std::string& name : folders) write_text(folder / name / "clip.mp4", "x");
    return error_of([&] { read_layout(folder.path()); });
  };
  expect_one_line_with(error_with({"train/a", "test/a", "extra/a"}),
                       {"holds test/, train/ as for splits beside extra/", "expected", "train/CLASS/*"});
  expect_one_line_with(error_with({"train/a", "valid/a", "tset/a"}), {"train/, valid/", "beside tset/"});
  expect_one_line_with(error_with({"train/a", "val/a", "validation/a", "test/a"}),
                       {"both val/, validation/", "one split"});
  expect_one_line_with(error_with({"train/a", "Train/b", "test/a"}), {"both Train/, train/"});
  expect_one_line_with(error_with({"train/a", "val/a", "test/a", "eval/a"}), {"eval/ beside a test and a validation"});
  expect_one_line_with(error_with({"train/a", "val/a"}), {"no folder test/", "expected"});
  expect_one_line_with(error_with({"dev/a", "eval/a"}), {"no folder train/"});
  expect_one_line_with(error_with({"bus/train", "bus/test", "park/train", "park/test"}),
                       {"/bus: holds the splits of one class", "train/CLASS/*"});
  expect_one_line_with(error_with({"train", "test"}), {"train: no class folders in it", "expected"});
}

TEST(FolderLayout, PassesOverWhatIsNoFileAndSaysSo) {
  const Folder folder;
  write_classes(folder / "data", {"bus", "park"}, 2);
  const fs::path bus = folder / "data/bus", park = folder / "data/park";
  ASSERT_EQ(::mkfifo((bus / "pipe.mp4").c_str(), 0600), 0);
  fs::create_symlink("nowhere.mp4", bus / "dangling.mp4");
  fs::create_symlink("circle.mp4", bus / "circle.mp4");
  fs::create_symlink("/dev/zero", bus / "zero.mp4");
  fs::create_symlink("..", bus / "up");
  fs::create_symlink(folder / "more", bus / "more");  // each of two folders links to the other one
  fs::create_directories(folder / "more");
  fs::create_symlink(bus, folder / "more/back");
  write_text(folder / "more/clip.mp4", "x");
  fs::create_symlink("..", folder / "data/above");
  write_text(park / "caf\xe9.mp4", "x");
  write_text(park / "dir\xe9/clip.mp4", "x");
  write_text(park / "tab\there\n.mp4", "x");

  const Layout layout = read_layout(folder / "data");
  EXPECT_EQ(layout.classes, (std::vector<std::string>{"bus", "park"}));
  std::set<std::string> names;
  for (const Clip& clip : layout.clips) names.insert(clip.name);
  EXPECT_EQ(names, (std::set<std::string>{"bus/clip0.mp4", "bus/clip1.mp4", "bus/more/clip.mp4", "park/clip0.mp4",
                                          "park/clip1.mp4", "park/tab\there\n.mp4"}));
  std::map<std::string, std::string> reasons;
  for (const Skipped& skipped : layout.skipped) reasons[skipped.name] = skipped.reason;
  const std::map<std::string, std::string> expected = {{"above", "is a link to a folder around it"},
                                                       {"bus/pipe.mp4", "is a named pipe, not a file"},
                                                       {"bus/dangling.mp4", "is a link to nothing"},
                                                       {"bus/circle.mp4", "Too many levels of symbolic links"},
                                                       {"bus/zero.mp4", "is a device, not a file"},
                                                       {"bus/up", "is a link to a folder around it"},
                                                       {"bus/more/back", "is a link to a folder around it"},
                                                       {"park/caf\\xe9.mp4", "its name is not UTF-8; rename it"},
                                                       {"park/dir\\xe9/clip.mp4", "its name is not UTF-8; rename it"}};
  EXPECT_EQ(layout.skipped.size(), expected.size());
  for (const auto& [name, reason] : expected)
    expect_one_line_with(reasons[name], {(folder / "data" / name).string() + ": ", reason});
}

TEST(FolderLayout, IgnoresWhatArchiversDisksAndDesktopsLeave) {
  const Folder folder;
  write_classes(folder.path(), {"bus", "park"}, 2);
  for (const std::string left :
       {"__MACOSX/bus/._clip0.mp4", "@eaDir/clip0.mp4/thumb.jpg", "lost+found/1", "$RECYCLE.BIN/x.mp4",
        "System Volume Information/x", ".AppleDouble/clip0.mp4", "bus/@eaDir/clip0.mp4/thumb.jpg", "bus/Thumbs.db",
        "bus/desktop.ini", "bus/._clip0.mp4", "bus/.AppleDouble/clip0.mp4", "park/.DS_Store"})
    write_text(folder / left, "x");
  const Layout layout = read_layout(folder.path());
  EXPECT_EQ(layout.classes, (std::vector<std::string>{"bus", "park"}));
  EXPECT_EQ(layout.clips.size(), 4u);
  EXPECT_EQ(layout.skipped.size(), 0u);
}

TEST(FolderLayout, TakesAPictureForAThumbnailOnlyBesideItsVideo) {
  const Folder folder;
  write_classes(folder.path(), {"bus", "park"}, 2);
  write_text(folder / "bus/clip0.jpg", "x");
  write_text(folder / "bus/clip0.info.json", "x");
  write_text(folder / "bus/alone.jpg", "x");
  write_text(folder / "park/annotated.png", "x");
  write_text(folder / "park/annotated.json", "x");
  const Layout layout = read_layout(folder.path());
  EXPECT_EQ(layout.clips.size(), 8u);
  ASSERT_EQ(layout.skipped.size(), 1u);
  expect_one_line_with(layout.skipped[0].reason, {"bus/clip0.jpg: is the thumbnail of the video beside it"});
}

TEST(FolderLayout, LeavesATrainingClipInAClassOfTwo) {
  const Folder folder;
  write_classes(folder.path(), {"a", "b"}, 2);
  for (uint64_t seed = 0; seed < 5; ++seed)
    EXPECT_EQ(count(cut_layout(folder.path(), {.seed = seed}), Split::Train), 2);
}

TEST(FolderLayout, HasOneClearLineForEachProblem) {
  const auto error_with = [](auto fill) {
    const Folder folder;
    fill(folder.path());
    return error_of([&] { read_layout(folder.path()); });
  };
  expect_one_line_with(error_with([](const fs::path&) {}), {"no data set", "meta.csv"});
  expect_one_line_with(error_with([](const fs::path& p) { write_classes(p, {"a"}, 3); }), {"one class only ('a')"});
  expect_one_line_with(error_with([](const fs::path& p) {
                         write_classes(p, {"a", "b"}, 3), fs::create_directory(p / "c");
                       }),
                       {"/c: ", "'c' is empty"});
  expect_one_line_with(error_with([](const fs::path& p) {
                         write_classes(p / "train", {"a", "b"}, 3);
                       }),
                       {"no folder test/"});
  expect_one_line_with(error_with([](const fs::path& p) {
                         write_classes(p / "train", {"a", "b"}, 3), write_classes(p / "test", {"a", "x"}, 1);
                       }),
                       {"test/x/clip0.mp4", "unknown label 'x'"});
  expect_one_line_with(error_with([](const fs::path& p) {
                         write_classes(p, {"a", "b\xe9"}, 1);
                       }),
                       {"/b\\xe9: the class's name is not UTF-8"});
  EXPECT_THROW(read_layout("/no/such/folder"), UsageError);
}

}  // namespace
}  // namespace avs::data
