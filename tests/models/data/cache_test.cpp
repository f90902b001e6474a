// Caches and their files under faults: killed, edited, damaged, made by earlier programs, or not ours at all.
#include "models/data/cache.h"

#include <gmock/gmock.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <csignal>
#include <cstring>
#include <nlohmann/json.hpp>

#include "models/data/loader.h"
#include "tests/models/data/small_data.h"

namespace avs::data {
namespace {

using test::contents_of;
using test::error_of;
using test::Folder;
using test::Holds;
using test::small_options;
using test::write_clip;
using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

class CacheFiles : public testing::Test {
 protected:
  void SetUp() override {
    fs::copy(videos().path(), data_, fs::copy_options::recursive);
    prepare(options_);
  }
  static const Folder& videos() {  // encoded once
    static const struct Videos {
      Folder folder;
      Videos() {
        for (int i = 0; i < 3; ++i)
          for (const char* label : {"a", "b"}) write_clip(folder / label / str("clip", i, ".mp4"), i, 1.5);
      }
    } made;
    return made.folder;
  }
  fs::path entry_path(const std::string& clip) const { return cache_ / "entries" / entry_file_name(clip); }
  nlohmann::ordered_json index() const { return nlohmann::ordered_json::parse(read_text(cache_ / kIndexName)); }
  void write(const nlohmann::ordered_json& index) const { avs::write_text(cache_ / kIndexName, index.dump(1) + "\n"); }

  // The index as programs wrote it before there were fingerprints and readers' versions.
  nlohmann::ordered_json older_index() const {
    nlohmann::ordered_json json = index();
    json.erase("fingerprint");
    json.erase("readers");
    for (auto& clip : json["clips"]) clip.erase("contents");
    return json;
  }

  Folder folder_;
  const fs::path data_ = folder_ / "data", cache_ = folder_ / "cache";
  PrepareOptions options_ = small_options(data_, cache_);
};

// ---- index and entries agree ----

TEST_F(CacheFiles, AnEntryThatTheIndexDoesNotSpeakOfIsRefusedAndBothAreNamed) {
  const std::string before = read_text(cache_ / kIndexName), older = older_index().dump(1);
  write_clip(data_ / "a/clip0.mp4", 5, 0.6);  // shorter: fewer frames than the old index says
  prepare(options_);
  for (const std::string& text : {before, older}) {
    avs::write_text(cache_ / kIndexName, text);
    const Cache cache = Cache::open(cache_);
    EXPECT_THAT(error_of([&] { cache.entry(0, Modality::Frames); }),
                AllOf(HasSubstr(entry_path("a/clip0.mp4").string() + ": has other frames or sound than " +
                                (cache_ / kIndexName).string()),
                      HasSubstr("run prepare again")));
    EXPECT_NO_THROW(cache.entry(1, Modality::Frames));
  }
  write_clip(data_ / "a/clip0.mp4", 9, 1.5);  // the same length: only its contents tell
  prepare(options_);
  avs::write_text(cache_ / kIndexName, before);
  const Cache cache = Cache::open(cache_);
  EXPECT_THAT(error_of([&] { cache.entry(0, Modality::Frames); }), HasSubstr("has other contents than"));
}

TEST_F(CacheFiles, AnEditedIndexIsRefused) {
  for (const char* key : {"frames", "sound", "label", "split", "name"}) {
    nlohmann::ordered_json json = index();
    auto& value = json["clips"][0][key];
    value = value.is_number()    ? nlohmann::ordered_json(2000)
            : value.is_boolean() ? nlohmann::ordered_json(!value.get<bool>())
                                 : nlohmann::ordered_json(value == "train" ? "test"
                                                          : value == "a"   ? "b"
                                                                           : "train");
    const std::string whole = read_text(cache_ / kIndexName);
    write(json);
    EXPECT_THAT(error_of([&] { Cache::open(cache_); }), AllOf(HasSubstr("index.json"), HasSubstr("run prepare again")))
        << key;
    avs::write_text(cache_ / kIndexName, whole);
  }
  nlohmann::ordered_json json = older_index();  // it has no fingerprint: the entry itself tells
  json["clips"][0]["frames"] = 2000;
  write(json);
  const Cache cache = Cache::open(cache_);
  for (const Split split : kSplits) {
    const FrameDataset dataset(cache, split, {.image_size = 24, .random_frames = 0});
    for (int64_t i = 0; i < dataset.size(); ++i) {
      if (dataset.clip(i) != 0) continue;
      EXPECT_THAT(error_of([&] { dataset.get(i, Rng(0)); }), HasSubstr("has other frames or sound"));
    }
  }
}

TEST_F(CacheFiles, NothingIsReadOutsideAnEntry) {
  const Entry entry(entry_path("a/clip0.mp4"));
  std::vector<uint8_t> picture(24 * 24 * 3), small(10);
  EXPECT_NO_THROW(entry.read_frame(2, picture));
  EXPECT_THAT(error_of([&] { entry.read_frame(3, picture); }), HasSubstr("has no frame 3, it has 3"));
  EXPECT_THAT(error_of([&] { entry.read_frame(-1, picture); }), HasSubstr("has no frame -1"));
  EXPECT_THAT(error_of([&] { entry.read_frame(0, small); }), HasSubstr("10 bytes are expected"));
}

// The header's own checksum holds; its extents, or its type, do not fit the bytes.
TEST_F(CacheFiles, AHeaderWhoseExtentsAreNotItsBytesIsRefused) {
  const fs::path path = entry_path("a/clip0.mp4");
  const std::string whole = read_text(path);
  const auto refused = [&](size_t offset, int64_t value, size_t bytes) {
    std::string text = whole;
    std::memcpy(text.data() + offset, &value, bytes);
    const uint64_t checksum = XXH3_64bits(text.data(), 824);
    std::memcpy(text.data() + 824, &checksum, 8);
    avs::write_text(path, text);
    return error_of([&] { const Entry entry(path); });
  };
  for (const auto& [offset, value] : std::vector<std::pair<size_t, int64_t>>{
           {72, 4}, {72, 2000}, {72, -3}, {72, 0}, {80, int64_t{1} << 62}, {112, 100}, {112, 0}})
    EXPECT_THAT(refused(offset, value, 8), AllOf(HasSubstr(path.string()), HasSubstr("describes no array")))
        << offset << " " << value;
  EXPECT_THAT(refused(64, 9, 4), HasSubstr("describes no array")) << "a part that there is not";
  EXPECT_THAT(refused(64, 1, 4), HasSubstr("describes no array")) << "pictures called a spectrogram";
}

TEST_F(CacheFiles, AFileThatShrinksWhileItIsOpenIsAnErrorOfThatFile) {
  const fs::path path = entry_path("a/clip0.mp4");
  const Entry entry(path);
  fs::resize_file(path, 8192);
  EXPECT_THAT(error_of([&] { entry.read(Modality::Mel); }), HasSubstr(path.string() + ": ends at byte"));
  EXPECT_EQ(prepare(options_).made, 1);
}

TEST_F(CacheFiles, AFifoInTheirPlaceIsNotWaitedFor) {
  fs::remove(entry_path("a/clip0.mp4"));
  ASSERT_EQ(::mkfifo(entry_path("a/clip0.mp4").c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { Cache::open(cache_).entry(0, Modality::Mel); }), HasSubstr("is a named pipe, not a file"));
  fs::remove(cache_ / kIndexName);
  ASSERT_EQ(::mkfifo((cache_ / kIndexName).c_str(), 0600), 0);
  EXPECT_THAT(error_of([&] { Cache::open(cache_); }), HasSubstr("is a named pipe, not a file"));
}

// ---- unfinished ----

TEST_F(CacheFiles, TheIndexIsGoneBeforeTheFirstEntryIsReplaced) {
  write_clip(data_ / "a/clip0.mp4", 5, 1.5, Holds::PictureOnly);  // its entry becomes small
  write_clip(data_ / "b/clip0.mp4", 6, 1.5);                      // and this one does not fit the disk
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{1 << 16, old.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string message = error_of([&] { prepare(options_); });
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(message, AllOf(HasSubstr("b%2Fclip0.mp4.clip"), HasSubstr("File too large")));
  EXPECT_FALSE(fs::exists(cache_ / kIndexName));
  EXPECT_THAT(error_of([&] { Cache::open(cache_); }), HasSubstr("no finished cache there"));
  EXPECT_EQ(prepare(options_).made, 1);
  EXPECT_NO_THROW(Cache::open(cache_));
}

TEST_F(CacheFiles, WhatCannotBeReadIsNotCalledUnfinished) {
  rlimit old{};
  getrlimit(RLIMIT_NOFILE, &old);
  const rlimit none{0, old.rlim_max};
  setrlimit(RLIMIT_NOFILE, &none);
  const std::string message = error_of([&] { Cache::open(cache_); });
  setrlimit(RLIMIT_NOFILE, &old);
  EXPECT_THAT(message, AllOf(HasSubstr("index.json: cannot be opened: Too many open files"),
                             testing::Not(HasSubstr("no finished cache"))));
}

// ---- fingerprints ----

TEST_F(CacheFiles, TheFingerprintsTellOtherContentsFromOtherLabels) {
  const Fingerprint before = Cache::open(cache_).fingerprint();
  EXPECT_EQ(before.contents.size(), 16u);
  options_.split.seed = 9;  // another cut
  prepare(options_);
  const Fingerprint recut = Cache::open(cache_).fingerprint();
  EXPECT_EQ(recut.contents, before.contents);
  EXPECT_NE(recut.labels, before.labels);

  options_.split.seed = 0;
  fs::last_write_time(data_ / "a/clip0.mp4", fs::file_time_type::clock::now() + std::chrono::seconds(5));
  EXPECT_EQ(prepare(options_).made, 1) << "decoded again, to the same arrays";
  EXPECT_EQ(Cache::open(cache_).fingerprint(), before);

  write_clip(data_ / "a/clip0.mp4", 9, 1.5);  // the same number of frames, other ones
  prepare(options_);
  const Fingerprint replaced = Cache::open(cache_).fingerprint();
  EXPECT_NE(replaced.contents, before.contents);
  EXPECT_EQ(replaced.labels, before.labels);
}

TEST_F(CacheFiles, AnIndexWithoutFingerprintsStillOpensAndPrepareAddsThemWithoutDecoding) {
  const Fingerprint wanted = Cache::open(cache_).fingerprint();
  const std::string newer = read_text(cache_ / kIndexName);
  write(older_index());
  const Cache cache = Cache::open(cache_);
  EXPECT_EQ(cache.fingerprint().contents, "");
  EXPECT_EQ(cache.fingerprint().labels, wanted.labels);
  EXPECT_EQ(cache.entry(0, Modality::Frames).read(Modality::Frames).shape(), (Shape{3, 24, 24, 3}));
  const PrepareReport report = prepare(options_);
  EXPECT_EQ(report.made, 0);
  EXPECT_EQ(read_text(cache_ / kIndexName), newer);
}

// ---- readers ----

TEST_F(CacheFiles, OnlyClipsOfAKindThatIsReadBetterNowAreDecodedAgain) {
  write_clip(data_ / "a/film.avi", 3);  // its kind has a version above 1
  prepare(options_);
  const std::string newer = read_text(cache_ / kIndexName);
  const fs::path path = entry_path("a/film.avi");
  EntryParts parts;
  {
    const Entry entry(path);
    for (const Modality part : {Modality::Frames, Modality::Mel}) parts.emplace_back(part, entry.read(part));
  }
  const Clip clip{"a/film.avi", "a/film.avi", "a/film.avi", 0, Split::Train};
  write_entry(path, entry_key(options_.arrays, fs::canonical(data_), clip, {}), "", parts);
  write(older_index());
  const Cache older = Cache::open(cache_);
  for (int64_t id = 0; id < 7; ++id) EXPECT_NO_THROW(older.entry(id, Modality::Mel)) << "an old cache is still read";

  const PrepareReport report = prepare(options_);
  EXPECT_EQ(report.made, 1);
  EXPECT_EQ(report.read_anew, 1);
  EXPECT_THAT(describe(report), HasSubstr("1 of the clips were there and are decoded anew"));
  EXPECT_EQ(read_text(cache_ / kIndexName), newer);
  EXPECT_EQ(index()["readers"]["avi"], reader_versions().at("avi"));
  EXPECT_EQ(prepare(options_).made, 0);
}

// ---- other people's files ----

TEST(PrepareBesideOthers, AFolderWithSomebodysFilesIsNotTakenOver) {
  const Folder folder;
  for (const char* label : {"a", "b"})
    for (int i = 0; i < 2; ++i) write_clip(folder / "data" / label / str("clip", i, ".mp4"), i, 0.6);
  for (const std::string file : {"entries/thesis.txt", "entries/film.clip", "index.json"}) {
    const fs::path cache = folder / ("cache-" + fs::path(file).filename().string());
    test::write_text(cache / file, "mine");
    EXPECT_THAT(error_of([&] { prepare(small_options(folder / "data", cache)); }),
                AllOf(HasSubstr((cache / file).string()), HasSubstr("choose another --cache")));
    EXPECT_EQ(contents_of(cache), (std::map<std::string, std::string>{{file, "mine"}}));
  }
}

TEST_F(CacheFiles, OfOthersAmongTheEntriesStay) {
  for (const char* name : {"thesis.txt", "film.clip", ".hidden", ".clip", "a.avs-part"})
    test::write_text(cache_ / "entries" / name, "mine");
  fs::create_symlink(data_ / "a/clip0.mp4", cache_ / "entries/link.clip");
  fs::remove(data_ / "a/clip2.mp4");
  test::write_text(cache_ / "entries" / str(".x.clip.", 99999999, "-0.avs-part"), "left by a kill");
  prepare(options_);
  for (const char* name : {"thesis.txt", "film.clip", ".hidden", ".clip", "a.avs-part"})
    EXPECT_EQ(read_text(cache_ / "entries" / name), "mine") << name;
  EXPECT_TRUE(fs::exists(cache_ / "entries/link.clip"));
  EXPECT_EQ(contents_of(cache_).size(), 5u + 2u + 5u + 1u);  // entries, index and lock, the files, behind the link
}

// ---- threads and devices that there are not ----

// The system refuses every thread: no address space has room for such a stack.
class NoMoreThreads {
 public:
  NoMoreThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, size_t{1} << 50);
    pthread_setattr_default_np(&huge);
    pthread_attr_destroy(&huge);
  }
  ~NoMoreThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t before_;
};

TEST_F(CacheFiles, AreMadeAndReadByFewerThreadsWhereTheSystemRefusesMore) {
  const auto whole = contents_of(cache_);
  const Cache cache = Cache::open(cache_);
  const FrameDataset dataset(cache, Split::Train, {.image_size = 24});
  options_.cache = folder_ / "again";
  options_.workers = 4;
  const NoMoreThreads refused;
  EXPECT_THROW(std::thread([] {}), std::system_error);
  EXPECT_EQ(prepare(options_).made, 6);
  EXPECT_EQ(contents_of(options_.cache), whole);
  Loader loader(dataset, {.batch = 2, .workers = 3});
  loader.start_epoch(0);
  EXPECT_TRUE(loader.next().has_value());
}

TEST_F(CacheFiles, AWorkerThatCannotBeginIsAnErrorOfTheWhole) {
  if (AVS_WITH_CUDA) GTEST_SKIP() << "this build might have such a device";
  options_.cache = folder_ / "again";
  options_.workers = 3;
  options_.arrays.spectrograms.device = {Device::Kind::Cuda, 0};
  EXPECT_THROW(prepare(options_), DeviceError);
}

}  // namespace
}  // namespace avs::data
