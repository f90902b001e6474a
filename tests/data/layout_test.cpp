#include "apps/data/layout.h"

#include <algorithm>
#include <set>

#include "apps/data/split.h"
#include "apps/data/table.h"
#include "tests/data/small_data.h"

namespace avs::data {
namespace {

using test::error_of;
using test::Folder;
using test::write_text;
namespace fs = std::filesystem;

void expect_one_line_with(const std::string& message, const std::vector<std::string>& words) {
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  for (const std::string& word : words)
    EXPECT_NE(message.find(word), std::string::npos) << "'" << word << "' in: " << message;
}

int64_t count(const Layout& layout, Split split, const std::string& name = "") {
  return std::count_if(layout.clips.begin(), layout.clips.end(), [&](const Clip& clip) {
    return clip.split == split && (name.empty() || layout.classes[static_cast<size_t>(clip.label)] == name);
  });
}

struct CutLayout : Layout {
  std::string validation_cut;
};

// The layout as prepare has it when every clip decodes.
CutLayout cut_layout(const fs::path& root, const SplitOptions& options = {}) {
  CutLayout layout{read_layout(root), {}};
  layout.validation_cut = cut_splits(layout, options);
  return layout;
}

struct Tables {  // a DCASE data set of empty files, to be spoilt by tests
  std::string train = "filename_audio\tfilename_video\tscene_label\n", evaluate = train;
  std::vector<std::string> files;

  void add(std::string& table, const std::string& stem, const std::string& label) {
    table += "audio/" + stem + ".wav\tvideo/" + stem + ".mp4\t" + label + "\n";
    files.push_back("audio/" + stem + ".wav");
    files.push_back("video/" + stem + ".mp4");
  }
  Tables() {
    for (const std::string label : {"park", "bus"})
      for (int location = 0; location < 5; ++location)
        for (int segment = 0; segment < 4; ++segment)
          add(location == 4 ? evaluate : train, str(label, "-paris-", location, "-", segment), label);
  }
  void write(const fs::path& root, const std::string& tables = ".") const {
    for (const std::string& file : files) write_text(root / file, "x");
    write_text(root / tables / "evaluation_setup/fold1_train.csv", train);
    write_text(root / tables / "evaluation_setup/fold1_evaluate.csv", evaluate);
  }
};

// ---- DCASE ------------------------------------------------------------------

TEST(DcaseLayout, IsReadFromTheRootOrFromTheMetaFolder) {
  for (const std::string place : {".", "set.meta"}) {
    const Folder folder;
    Tables().write(folder / "set", place);
    const Layout layout = read_layout(folder / "set/");
    EXPECT_EQ(layout.kind, "DCASE");
    EXPECT_EQ(layout.classes, (std::vector<std::string>{"bus", "park"}));
    EXPECT_EQ(layout.clips.size(), 40u);
    EXPECT_EQ(count(layout, Split::Test), 8);
    EXPECT_EQ(layout.clips.front().name, "bus-paris-0-0");
    EXPECT_EQ(layout.clips.front().audio, "audio/bus-paris-0-0.wav");
    EXPECT_EQ(layout.clips.front().video, "video/bus-paris-0-0.mp4");
  }
}

TEST(DcaseLayout, TakesCommasCarriageReturnsQuotesAndAByteOrderMark) {
  const Folder folder;
  Tables tables;
  for (std::string* table : {&tables.train, &tables.evaluate}) {
    std::string rewritten = "\xef\xbb\xbf";
    for (const char c : *table) rewritten += c == '\t' ? "," : c == '\n' ? "\r\n" : std::string(1, c);
    *table = rewritten + "\r\n";
  }
  tables.train += "\"audio/bus-paris-0-9.wav\",\"video/bus-paris-0-9.mp4\",\"bus\"\r\n";
  tables.files.push_back("video/bus-paris-0-9.mp4");
  tables.write(folder.path());
  const Layout layout = read_layout(folder.path());
  EXPECT_EQ(layout.clips.size(), 41u);
  EXPECT_EQ(layout.classes, (std::vector<std::string>{"bus", "park"}));
}

TEST(DcaseLayout, FindsLabelsOfTheTestListInMeta) {
  const Folder folder;
  Tables tables;
  const std::string labelled = tables.evaluate;
  std::string bare;
  for (size_t at = 0; at < labelled.size();) {
    const size_t end = labelled.find('\n', at);
    const std::string line = labelled.substr(at, end - at);
    bare += line.substr(0, line.rfind('\t')) + "\n";
    at = end + 1;
  }
  tables.write(folder.path());
  fs::remove(folder / "evaluation_setup/fold1_evaluate.csv");
  write_text(folder / "evaluation_setup/fold1_test.csv", bare);
  expect_one_line_with(error_of([&] { read_layout(folder.path()); }), {"fold1_test.csv", "scene_label"});
  write_text(folder / "meta.csv", tables.train + labelled.substr(labelled.find('\n') + 1));
  EXPECT_EQ(count(read_layout(folder.path()), Split::Test, "park"), 4);
}

TEST(DcaseLayout, CutsTheValidationSplitByLocation) {
  const Folder folder;
  Tables().write(folder.path());
  std::set<std::set<std::string>> cuts;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    const CutLayout layout = cut_layout(folder.path(), {.seed = seed});
    EXPECT_EQ(layout.validation_cut, "by recording");
    std::set<std::string> train, validation;
    for (const Clip& clip : layout.clips) {
      if (clip.split == Split::Train) train.insert(recording_of(clip.name));
      if (clip.split == Split::Validation) validation.insert(recording_of(clip.name));
    }
    for (const std::string& location : validation) EXPECT_FALSE(train.contains(location)) << location;
    for (const std::string name : {"bus", "park"}) {
      EXPECT_EQ(count(layout, Split::Validation, name), 4) << name;
      EXPECT_EQ(count(layout, Split::Test, name), 4) << name;
    }
    cuts.insert(validation);
  }
  EXPECT_GT(cuts.size(), 2u) << "the seed chooses";
}

TEST(DcaseLayout, SkipsWhatIsMissingAndKeepsHalves) {
  const Folder folder;
  Tables().write(folder.path());
  fs::remove(folder / "audio/bus-paris-0-0.wav");
  fs::remove(folder / "video/bus-paris-0-1.mp4");
  fs::remove(folder / "audio/bus-paris-0-2.wav");
  fs::remove(folder / "video/bus-paris-0-2.mp4");
  const Layout layout = read_layout(folder.path());
  EXPECT_EQ(layout.clips.size(), 39u);
  ASSERT_EQ(layout.skipped.size(), 1u);
  expect_one_line_with(layout.skipped[0].reason, {"bus-paris-0-2.mp4", "no such file"});
  EXPECT_EQ(layout.notes.size(), 2u);
  EXPECT_TRUE(layout.clips[0].audio.empty());
  EXPECT_TRUE(layout.clips[1].video.empty());
}

TEST(DcaseLayout, HasOneClearLineForEachContradiction) {
  const auto error_with = [](auto spoil) {
    const Folder folder;
    Tables tables;
    spoil(tables);
    tables.write(folder.path());
    return error_of([&] { read_layout(folder.path()); });
  };
  expect_one_line_with(error_with([](Tables& t) { t.add(t.evaluate, "sea-paris-1-1", "sea"); }),
                       {"fold1_evaluate.csv:10", "unknown label 'sea'", "sea-paris-1-1"});
  expect_one_line_with(error_with([](Tables& t) { t.add(t.evaluate, "bus-paris-0-0", "bus"); }),
                       {"fold1_evaluate.csv:10", "'bus-paris-0-0'", "train"});
  expect_one_line_with(error_with([](Tables& t) { t.add(t.train, "bus-paris-0-0", "park"); }),
                       {"fold1_train.csv:34", "'park'", "'bus'", "fold1_train.csv:"});
  expect_one_line_with(
      error_with([](Tables& t) { t.train += "audio/x/bus-paris-0-0.wav\tvideo/x/bus-paris-0-0.mp4\tbus\n"; }),
      {"another file", "video/x/bus-paris-0-0.mp4", "unique"});
  expect_one_line_with(error_with([](Tables& t) { t.train += "audio/a.wav\tvideo/a.mp4\n"; }),
                       {"fold1_train.csv:34", "2 fields", "3"});
  expect_one_line_with(error_with([](Tables& t) { t.train += "audio/a.wav\tvideo/a.mp4\t\n"; }),
                       {"fold1_train.csv:34", "no label"});
  expect_one_line_with(error_with([](Tables& t) {
                         t.train.replace(0, 14, "path_of_audios"), t.train.replace(15, 14, "path_of_videos");
                       }),
                       {"no column 'filename_video'", "'path_of_audios'"});
  expect_one_line_with(error_with([](Tables& t) { t.files.clear(); }), {"no such file", "none of the 40"});
}

TEST(DcaseLayout, UsesARowListedTwiceOnceAndSaysSo) {
  const Folder folder;
  Tables tables;
  tables.add(tables.train, "bus-paris-0-0", "bus");
  tables.write(folder.path());
  const Layout layout = read_layout(folder.path());
  EXPECT_EQ(layout.clips.size(), 40u);
  ASSERT_EQ(layout.notes.size(), 1u);
  expect_one_line_with(layout.notes[0], {"bus-paris-0-0", "twice", "fold1_train.csv:34"});
}

// The table of docs/paper.md#data-set-and-metric, from the challenge's own lists.
TEST(DcaseLayout, CountsTheClipsOfTauUrbanScenesAsThePaperDoes) {
  const auto lists = test::test_data("tau_wavs/train.csv");
  if (!lists) GTEST_SKIP() << "no tau_wavs/train.csv";
  const Folder folder;
  std::string train = "filename_audio\tfilename_video\tscene_label\n", test = train;
  const auto add = [&](std::string& table, const std::string& audio, const std::string& video,
                       const std::string& label) {
    table += audio + "\t" + video + "\t" + label + "\n";
    write_text(folder / video, "");
  };
  for (const std::string name : {"train.csv", "val.csv"}) {
    const Table table = Table::read(lists->parent_path() / name);
    for (const Table::Row& row : table.rows())
      add(train, row.fields[table.column("filename_audio")], row.fields[table.column("filename_video")],
          row.fields[table.column("scene_label")]);
  }
  const Table test_list = Table::read(lists->parent_path() / "test.csv");
  for (const Table::Row& row : test_list.rows()) {
    const std::string stem = fs::path(row.fields[0]).stem().string();
    add(test, "audio/" + stem + ".wav", "video/" + stem + ".mp4", stem.substr(0, stem.find('-')));
  }
  write_text(folder / "evaluation_setup/fold1_train.csv", train);
  write_text(folder / "evaluation_setup/fold1_evaluate.csv", test);

  const CutLayout layout = cut_layout(folder.path());
  const std::vector<std::string> classes = {"airport",        "bus",           "metro",         "metro_station",
                                            "park",           "public_square", "shopping_mall", "street_pedestrian",
                                            "street_traffic", "tram"};
  EXPECT_EQ(layout.classes, classes);
  const std::vector<int64_t> trained = {697, 806, 705, 893, 1006, 982, 841, 968, 985, 763};
  const std::vector<int64_t> tested = {281, 327, 360, 386, 386, 387, 387, 421, 402, 308};
  for (size_t i = 0; i < classes.size(); ++i) {
    EXPECT_EQ(count(layout, Split::Train, classes[i]) + count(layout, Split::Validation, classes[i]), trained[i])
        << classes[i];
    EXPECT_EQ(count(layout, Split::Test, classes[i]), tested[i]) << classes[i];
    EXPECT_NEAR(static_cast<double>(count(layout, Split::Validation, classes[i])),
                0.15 * static_cast<double>(trained[i]), 0.03 * static_cast<double>(trained[i]))
        << classes[i];
  }
  EXPECT_EQ(count(layout, Split::Train) + count(layout, Split::Validation), 8646);
  EXPECT_EQ(count(layout, Split::Test), 3645);
  EXPECT_EQ(layout.validation_cut, "by recording");
}

// ---- folders ----------------------------------------------------------------

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
  EXPECT_THROW(read_layout("/no/such/folder"), UsageError);
}

TEST(Recording, IsTheNameWithoutItsTake) {
  EXPECT_EQ(recording_of("coast-1-28135-A.mp4"), "coast-1-28135");
  EXPECT_EQ(recording_of("airport-london-6-257"), "airport-london-6");
  EXPECT_EQ(recording_of("dog-12.wav"), "");
}

TEST(DcaseLayout, KeepsTakesOfOneEscRecordingTogether) {
  const auto root = test::test_data("esc10_scene15");
  if (!root) GTEST_SKIP() << "no esc10_scene15";
  const CutLayout layout = cut_layout(*root);
  EXPECT_EQ(count(layout, Split::Train) + count(layout, Split::Validation), 320);
  EXPECT_EQ(count(layout, Split::Test), 80);
  std::map<std::string, std::set<Split>> splits;
  for (const Clip& clip : layout.clips) splits[recording_of(clip.name)].insert(clip.split);
  for (const auto& [recording, in] : splits) EXPECT_EQ(in.size(), 1u) << recording;
  for (const std::string& name : layout.classes) EXPECT_GE(count(layout, Split::Validation, name), 4) << name;
}

}  // namespace
}  // namespace avs::data
