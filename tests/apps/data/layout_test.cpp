#include "apps/data/layout.h"

#include <sys/stat.h>

#include <set>

#include "apps/data/table.h"
#include "tests/apps/data/layouts.h"

namespace avs::data {
namespace {

using test::error_of;
using test::Folder;
using test::write_text;
namespace fs = std::filesystem;

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

std::string utf16_of(const std::string& ascii, bool big_endian) {
  std::string text = big_endian ? "\xfe\xff" : "\xff\xfe";
  for (const char c : ascii) text += big_endian ? std::string{'\0', c} : std::string{c, '\0'};
  return text;
}

TEST(DcaseLayout, TakesUtf16AndTheLineEndsOfOldMacs) {
  const auto classes_of = [](auto rewrite) {
    const Folder folder;
    Tables tables;
    tables.train = rewrite(tables.train);
    tables.evaluate = rewrite(tables.evaluate);
    tables.write(folder.path());
    const Layout layout = read_layout(folder.path());
    EXPECT_EQ(layout.clips.size(), 40u);
    return layout.classes;
  };
  const std::vector<std::string> expected = {"bus", "park"};
  EXPECT_EQ(classes_of([](const std::string& text) { return utf16_of(text, false); }), expected);
  EXPECT_EQ(classes_of([](const std::string& text) { return utf16_of(text, true); }), expected);
  EXPECT_EQ(classes_of([](std::string text) {
              std::replace(text.begin(), text.end(), '\n', '\r');
              return text;
            }),
            expected);
}

TEST(DcaseLayout, OfSoundAloneCallsItsColumnFilename) {
  const Folder folder;
  std::string train = "filename\tscene_label\n", meta = "filename\tscene_label\tidentifier\n", test = "filename\n";
  for (const std::string label : {"bus", "park"})
    for (int i = 0; i < 4; ++i) {
      const std::string file = str("audio/", label, "-paris-", i, "-0-a.wav");
      write_text(folder / file, "x");
      meta += str(file, "\t", label, "\tparis-", i, "\n");
      (i == 3 ? test : train) += i == 3 ? file + "\n" : str(file, "\t", label, "\n");
    }
  write_text(folder / "meta.csv", meta);
  write_text(folder / "evaluation_setup/fold1_train.csv", train);
  write_text(folder / "evaluation_setup/fold1_test.csv", test);
  const Layout layout = read_layout(folder.path());
  EXPECT_EQ(layout.clips.size(), 8u);
  EXPECT_EQ(count(layout, Split::Test, "bus"), 1);
  EXPECT_EQ(layout.clips[0].name, "bus-paris-0-0-a");
  EXPECT_EQ(layout.clips[0].audio, "audio/bus-paris-0-0-a.wav");
}

TEST(DcaseLayout, SkipsRowsThatLeaveTheDataSetOrNameNoFile) {
  const Folder folder;
  write_text(folder / "outside/1.mp4", "x");
  write_text(folder / "outside/2.mp4", "x");
  const auto skipped_for = [&](const std::string& file) {
    const Folder data;
    Tables tables;
    tables.train += str(file, "\t", file, "\tbus\n");
    tables.write(data / "set");
    EXPECT_EQ(::mkfifo((data / "set/pipe.mp4").c_str(), 0600), 0);
    fs::copy_file(folder / "outside/1.mp4", data / "1.mp4");
    const Layout layout = read_layout(data / "set");
    EXPECT_EQ(layout.clips.size(), 40u) << file;
    EXPECT_EQ(layout.skipped.size(), 1u) << file;
    const Skipped skipped = layout.skipped.empty() ? Skipped{} : layout.skipped[0];
    EXPECT_LT(skipped.name.size() + skipped.reason.size(), 1000u);
    return skipped.reason;
  };
  expect_one_line_with(skipped_for("../1.mp4"), {"/../1.mp4: lies outside the data set"});
  expect_one_line_with(skipped_for("video/../../1.mp4"), {"lies outside the data set"});
  expect_one_line_with(skipped_for((folder / "outside/2.mp4").string()), {"outside/2.mp4: lies outside the data set"});
  expect_one_line_with(skipped_for("pipe.mp4"), {"/pipe.mp4: is a named pipe, not a file"});
  expect_one_line_with(skipped_for("video"), {"/video: is a folder, not a file"});
  expect_one_line_with(skipped_for("video/caf\xe9.mp4"), {"/video/caf\\xe9.mp4: its name is not UTF-8"});
  expect_one_line_with(skipped_for("video/" + std::string(100000, 'x')), {"xxx … xxx", "File name too long"});
}

TEST(DcaseLayout, TakesAbsolutePathsIntoTheDataSet) {
  const Folder folder;
  Tables tables;
  const std::string file = (fs::canonical(folder.path()) / "video/own.mp4").string();
  tables.train += str(file, "\t", file, "\tbus\n");
  tables.files.push_back("video/own.mp4");
  tables.write(folder.path());
  const Layout layout = read_layout(folder.path());
  EXPECT_EQ(layout.skipped.size(), 0u);
  EXPECT_EQ(std::count_if(layout.clips.begin(), layout.clips.end(),
                          [](const Clip& clip) { return clip.video == "video/own.mp4"; }),
            1);
}

TEST(DcaseLayout, RefusesATableThatIsNoneInOneShortLine) {
  const auto error_with = [](auto put) {
    const Folder folder;
    Tables().write(folder.path());
    put(folder / "meta.csv");
    const std::string message = error_of([&] { read_layout(folder.path()); });
    EXPECT_LT(message.size(), 600u);
    return message;
  };
  expect_one_line_with(error_with([](const fs::path& meta) { ASSERT_EQ(::mkfifo(meta.c_str(), 0600), 0); }),
                       {"meta.csv: is a named pipe, not a file"});
  expect_one_line_with(error_with([](const fs::path& meta) { fs::create_symlink("/dev/zero", meta); }),
                       {"meta.csv: is a device, not a file"});
  expect_one_line_with(error_with([](const fs::path& meta) { fs::create_directory(meta); }),
                       {"meta.csv: is a folder, not a file"});
  expect_one_line_with(error_with([](const fs::path& meta) {
                         write_text(meta, "x");
                         fs::resize_file(meta, uint64_t{1} << 40);
                       }),
                       {"meta.csv: has 1099511627776 bytes"});
  expect_one_line_with(error_with([](const fs::path& meta) { write_text(meta, std::string("a\0b", 3)); }),
                       {"meta.csv: holds bytes of value 0"});
  for (const std::string secret : {"root:$6$salt$hash:19000:0:99999:7:::", "user=me,password=hunter2", "hunter2"}) {
    const std::string message = error_with([&](const fs::path& meta) { write_text(meta, secret + "\n"); });
    expect_one_line_with(message, {"meta.csv: no column 'filename_video'", "no header"});
    EXPECT_EQ(message.find(secret.substr(secret.size() - 7)), std::string::npos) << message;
  }
  expect_one_line_with(
      error_with([](const fs::path& meta) { write_text(meta, "filename_video\tscene_label\nvideo/1.mp4\tcaf\xe9\n"); }),
      {"meta.csv:2: the label 'caf\\xe9' is not UTF-8"});
}

TEST(DcaseLayout, TakesAReadErrorInATableNotForItsEnd) {
  const fs::path unreadable = "/sys/class/net/lo/speed";  // a regular file of 4096 bytes whose reading fails
  if (!fs::exists(unreadable)) GTEST_SKIP() << "no " << unreadable;
  const Folder folder;
  Tables().write(folder.path());
  fs::create_symlink(unreadable, folder / "meta.csv");
  EXPECT_THROW(read_layout(folder.path()), SystemError);
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
