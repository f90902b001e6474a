#include "apps/data/prepare.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include "tests/models/data/small_data.h"

namespace avs::data {
namespace {

using test::contents_of;
using test::error_of;
using test::Folder;
using test::Holds;
using test::small_options;
using test::write_clip;
using test::write_text;
namespace fs = std::filesystem;

void write_data(const fs::path& root, int clips_per_class = 4) {
  for (int i = 0; i < clips_per_class; ++i) {
    write_clip(root / "a" / str("clip", i, ".mp4"), i);
    write_clip(root / "b" / str("clip", i, ".mp4"), i + 7);
  }
}

const CachedClip& clip_named(const Cache& cache, const std::string& name) {
  for (const CachedClip& clip : cache.clips())
    if (clip.name == name) return clip;
  throw Error("no clip " + name);
}

void damage(const fs::path& file, int64_t offset) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(offset);
  const char byte = static_cast<char>(stream.get() ^ 1);
  stream.seekp(offset);
  stream.put(byte);
}

// ---- what is made -----------------------------------------------------------

TEST(Prepare, MakesACacheThatHoldsWhatTheDecodersGive) {
  const Folder folder;
  write_data(folder / "data");
  const PrepareOptions options = small_options(folder / "data", folder / "cache");
  const PrepareReport report = prepare(options);
  EXPECT_EQ(report.failure, "");
  EXPECT_EQ(report.made, 8);

  const Cache cache = Cache::open(folder / "cache");
  EXPECT_EQ(cache.classes(), (std::vector<std::string>{"a", "b"}));
  ASSERT_EQ(cache.clips().size(), 8u);
  EXPECT_EQ(cache.options().recipe(), options.arrays.recipe());
  ClipDecoder decode(options.arrays.frames, options.arrays.spectrograms);
  for (int64_t id = 0; id < 8; ++id) {
    const CachedClip& clip = cache.clips()[static_cast<size_t>(id)];
    const ClipArrays arrays = decode(folder / "data" / clip.audio, folder / "data" / clip.video);
    ASSERT_EQ(arrays.parts.size(), 2u);
    const Tensor frames = cache.entry(id, Modality::Frames).read(Modality::Frames);
    const Tensor mel = cache.entry(id, Modality::Mel).read(Modality::Mel);
    EXPECT_EQ(frames.shape(), (Shape{3, 24, 24, 3}));
    EXPECT_EQ(mel.shape(), (Shape{128, 704, 2}));
    EXPECT_EQ(std::memcmp(frames.raw(), arrays.parts[0].second.raw(), frames.bytes()), 0);
    EXPECT_EQ(std::memcmp(mel.raw(), arrays.parts[1].second.raw(), mel.bytes()), 0);
    EXPECT_EQ(clip.label, clip.name[0] == 'a' ? 0 : 1);
  }
}

TEST(Prepare, GivesTheSameBytesForAnyNumberOfWorkers) {
  const Folder folder;
  write_data(folder / "data");
  prepare(small_options(folder / "data", folder / "one"));
  PrepareOptions options = small_options(folder / "data", folder / "three");
  options.workers = 3;
  prepare(options);
  EXPECT_EQ(contents_of(folder / "one"), contents_of(folder / "three"));
}

TEST(Prepare, KeepsAClipWithoutSoundOrPictureForWhatItCanServe) {
  const Folder folder;
  write_data(folder / "data", 3);
  write_clip(folder / "data/a/mute.mp4", 1, 1.5, Holds::PictureOnly);
  write_clip(folder / "data/b/dark.mp4", 1, 1.5, Holds::SoundOnly);
  const PrepareReport report = prepare(small_options(folder / "data", folder / "cache"));
  const Cache cache = Cache::open(folder / "cache");
  const CachedClip &mute = clip_named(cache, "a/mute.mp4"), &dark = clip_named(cache, "b/dark.mp4");
  EXPECT_TRUE(mute.has(Modality::Frames) && !mute.has(Modality::Mel));
  EXPECT_TRUE(!dark.has(Modality::Frames) && dark.has(Modality::Mel));
  EXPECT_NE(describe(report).find("a/mute.mp4: no sound"), std::string::npos) << describe(report);
  EXPECT_NE(describe(report).find("b/dark.mp4: no picture"), std::string::npos) << describe(report);
  int64_t with_sound = 0;
  for (const Split split : kSplits) with_sound += static_cast<int64_t>(cache.select(split, Modality::Mel).size());
  EXPECT_EQ(with_sound, 7);
}

TEST(Prepare, TakesPictureAndSoundFromTwoFilesOrOneOfThem) {
  const Folder folder;
  std::string train = "filename_audio\tfilename_video\tscene_label\n", test = train;
  for (int i = 0; i < 4; ++i)
    for (const std::string label : {"a", "b"}) {
      const std::string stem = str(label, i);
      write_clip(folder / ("data/audio/" + stem + ".m4a"), i, 1.5, Holds::SoundOnly);
      write_clip(folder / ("data/video/" + stem + ".mp4"), i, 1.5, Holds::PictureOnly);
      (i == 3 ? test : train) += "audio/" + stem + ".m4a\tvideo/" + stem + ".mp4\t" + label + "\n";
    }
  write_text(folder / "data/evaluation_setup/fold1_train.csv", train);
  write_text(folder / "data/evaluation_setup/fold1_evaluate.csv", test);
  fs::remove(folder / "data/audio/a0.m4a");
  prepare(small_options(folder / "data", folder / "cache"));
  const Cache cache = Cache::open(folder / "cache");
  EXPECT_TRUE(clip_named(cache, "a1").has(Modality::Mel) && clip_named(cache, "a1").has(Modality::Frames));
  EXPECT_TRUE(!clip_named(cache, "a0").has(Modality::Mel) && clip_named(cache, "a0").has(Modality::Frames));
}

// ---- bad input --------------------------------------------------------------

TEST(Prepare, SkipsWhatCannotBeDecodedAndSaysWhy) {
  const Folder folder;
  write_data(folder / "data");
  write_text(folder / "data/a/empty.mp4", "");
  write_text(folder / "data/a/text.mp4", "not a film");
  write_clip(folder / "data/b/cut.mp4", 1);
  fs::resize_file(folder / "data/b/cut.mp4", fs::file_size(folder / "data/b/cut.mp4") / 2);
  const PrepareReport report = prepare(small_options(folder / "data", folder / "cache"));
  EXPECT_EQ(report.failure, "");
  ASSERT_EQ(report.header.skipped.size(), 3u);
  for (const Skipped& skipped : report.header.skipped) {
    EXPECT_NE(skipped.reason.find((folder / "data" / skipped.name).string() + ": "), std::string::npos)
        << skipped.reason;
    EXPECT_EQ(skipped.reason.find('\n'), std::string::npos);
  }
  EXPECT_EQ(Cache::open(folder / "cache").clips().size(), 8u);
}

TEST(Prepare, FailsWhenAClassOrEverythingIsUnusable) {
  const Folder folder;
  write_text(folder / "data/a/x.mp4", "x");
  write_text(folder / "data/b/y.mp4", "y");
  EXPECT_EQ(prepare(small_options(folder / "data", folder / "cache")).failure, "all 2 clips were skipped");
  EXPECT_THROW(Cache::open(folder / "cache"), DataError);
  for (int i = 0; i < 3; ++i) write_clip(folder / str("data/b/good", i, ".mp4"), i);
  EXPECT_EQ(prepare(small_options(folder / "data", folder / "cache")).failure,
            "the class 'a' has no usable training clip");
}

TEST(Prepare, RefusesACacheAmongTheClassesAndASecondProcess) {
  const Folder folder;
  write_data(folder / "data", 2);
  EXPECT_THROW(prepare(small_options(folder / "data", folder / "data/cache")), UsageError);
  fs::create_directories(folder / "cache");
  const FolderLock lock(folder / "cache");
  const std::string message = error_of([&] { prepare(small_options(folder / "data", folder / "cache")); });
  EXPECT_NE(message.find("another process"), std::string::npos) << message;
}

TEST(Prepare, NamesAnOutputThatCannotBeWrittenAndKeepsWhatWas) {
  const Folder folder;
  write_data(folder / "data", 2);
  write_text(folder / "file", "I am no folder");
  const std::string message = error_of([&] { prepare(small_options(folder / "data", folder / "file")); });
  EXPECT_NE(message.find((folder / "file").string()), std::string::npos) << message;

  // A limit on the size of files stands for a disk that takes no more.
  prepare(small_options(folder / "data", folder / "cache"));
  const auto before = contents_of(folder / "cache");
  damage(folder / "cache/entries" / entry_file_name("a/clip0.mp4"), 5000);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{1 << 16, old.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string full = error_of([&] { prepare(small_options(folder / "data", folder / "cache")); });
  setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(full.find("cannot be written"), std::string::npos) << full;
  EXPECT_EQ(full.find('\n'), std::string::npos) << full;
  auto after = contents_of(folder / "cache");
  EXPECT_EQ(after.size(), before.size());
  EXPECT_EQ(after["index.json"], before.at("index.json"));
}

// ---- continuing -------------------------------------------------------------

TEST(Prepare, FindsDamagedEntriesByChecksumAndMakesThemAgain) {
  const Folder folder;
  write_data(folder / "data");
  const PrepareOptions options = small_options(folder / "data", folder / "cache");
  prepare(options);
  const auto whole = contents_of(folder / "cache");
  const fs::path entries = folder / "cache/entries";
  damage(entries / entry_file_name("a/clip0.mp4"), 4096 + 100);  // a pixel
  damage(entries / entry_file_name("a/clip1.mp4"), 20);          // the header
  fs::resize_file(entries / entry_file_name("a/clip2.mp4"), 9000);
  fs::remove(entries / entry_file_name("b/clip0.mp4"));
  fs::copy_file(entries / entry_file_name("b/clip1.mp4"), entries / entry_file_name("b/clip2.mp4"),
                fs::copy_options::overwrite_existing);
  const PrepareReport report = prepare(options);
  EXPECT_EQ(report.made, 5);
  EXPECT_EQ(report.kept, 3);
  EXPECT_EQ(contents_of(folder / "cache"), whole);
}

TEST(Prepare, MakesAnEntryAgainWhenItsSourceOrTheOptionsChanged) {
  const Folder folder;
  write_data(folder / "data");
  PrepareOptions options = small_options(folder / "data", folder / "cache");
  prepare(options);
  EXPECT_EQ(prepare(options).made, 0);
  write_clip(folder / "data/a/clip0.mp4", 42);
  EXPECT_EQ(prepare(options).made, 1);
  options.arrays.frames.image_size = 16;
  EXPECT_EQ(prepare(options).made, 8);
  options.arrays.spectrograms.kinds.clear();
  EXPECT_EQ(prepare(options).made, 8);
  options.split.seed = 9;  // moves clips between splits, changes no array
  EXPECT_EQ(prepare(options).made, 0);
}

TEST(Prepare, RemovesWhatBelongsToNoClipAnyMore) {
  const Folder folder;
  write_data(folder / "data");
  const PrepareOptions options = small_options(folder / "data", folder / "cache");
  prepare(options);
  fs::remove(folder / "data/a/clip3.mp4");
  write_text(folder / "cache/entries/left.clip.part", "half");
  prepare(options);
  EXPECT_EQ(contents_of(folder / "cache").size(), 7u + 2u);  // entries, index, lock
}

TEST(Prepare, KilledAtAnyMomentContinuesToTheSameBytes) {
  const Folder folder;
  write_data(folder / "data", 6);
  const PrepareOptions whole_options = small_options(folder / "data", folder / "whole");
  const auto start = std::chrono::steady_clock::now();
  prepare(whole_options);
  const auto whole_time = std::chrono::steady_clock::now() - start;
  const auto whole = contents_of(folder / "whole");
  for (int attempt = 0; attempt < 5; ++attempt) {
    const PrepareOptions options = small_options(folder / "data", folder / str("cache", attempt));
    for (int kills = 0; kills < 3; ++kills) {
      const pid_t child = ::fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        try {
          prepare(options);
        } catch (...) {
        }
        ::_exit(0);
      }
      std::this_thread::sleep_for(whole_time * (1 + attempt * 3 + kills) / 20);
      ::kill(child, SIGKILL);
      ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    }
    const PrepareReport report = prepare(options);
    EXPECT_EQ(report.made + report.kept, 12);
    EXPECT_EQ(contents_of(options.cache), whole) << "attempt " << attempt;
  }
}

// ---- reading ----------------------------------------------------------------

TEST(Cache, RefusesADamagedOrForeignEntryAndSaysWhatToDo) {
  const Folder folder;
  write_data(folder / "data");
  PrepareOptions options = small_options(folder / "data", folder / "cache");
  prepare(options);
  {
    const Cache cache = Cache::open(folder / "cache");
    damage(folder / "cache/entries" / entry_file_name("a/clip0.mp4"), 4096 + 100);
    const std::string message = error_of([&] { cache.entry(0, Modality::Frames); });
    EXPECT_NE(message.find(entry_file_name("a/clip0.mp4")), std::string::npos) << message;
    EXPECT_NE(message.find("run prepare again"), std::string::npos) << message;
    EXPECT_NO_THROW(cache.entry(0, Modality::Mel)) << "only what is read is checked";
  }
  const Cache old = Cache::open(folder / "cache");
  options.arrays.frames.image_size = 16;
  prepare(options);
  EXPECT_THROW(old.entry(1, Modality::Frames), DataError);
}

TEST(Cache, SaysThatThereIsNoneOrThatItsIndexIsDamaged) {
  const Folder folder;
  EXPECT_NE(error_of([&] { Cache::open(folder / "none"); }).find("no finished cache"), std::string::npos);
  for (const std::string text : {"", "{", "{}", R"({"format": "avscene cache", "version": 99})"}) {
    write_text(folder / "cache/index.json", text);
    const std::string message = error_of([&] { Cache::open(folder / "cache"); });
    EXPECT_NE(message.find("index.json"), std::string::npos) << message;
    EXPECT_NE(message.find("run prepare again"), std::string::npos) << message;
  }
}

TEST(Cache, NamesEntriesPrintablyAndApart) {
  EXPECT_EQ(entry_file_name("airport-london-6-257"), "airport-london-6-257.clip");
  EXPECT_EQ(entry_file_name("train/a b.mp4"), "train%2Fa%20b.mp4.clip");
  EXPECT_NE(entry_file_name("a%2Fb"), entry_file_name("a/b"));
  EXPECT_EQ(entry_file_name("..").front(), '%');
  const std::string a(300, 'x'), b = a + "y";
  EXPECT_LE(entry_file_name(a).size(), 255u);
  EXPECT_NE(entry_file_name(a), entry_file_name(b));
}

}  // namespace
}  // namespace avs::data
