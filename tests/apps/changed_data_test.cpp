// Runs and embeddings whose cache has changed, missing files, and outputs that are not regular files.
#include <sys/stat.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "models/checkpoint.h"
#include "tests/apps/training_workspace.h"

namespace avs::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// The same names, labels, splits and metadata, and values equal up to the rounding of a product of another number of rows: another
// cut puts other clips side by side into a batch.
bool is_same_extraction(const std::string& file, const std::string& other) {
  const Checkpoint a = Checkpoint::load(file), b = Checkpoint::load(other);
  if (a.metadata != b.metadata || a.tensors.size() != b.tensors.size()) return false;
  for (const auto& [name, tensor] : a.tensors) {
    const auto found = b.tensors.find(name);
    if (found == b.tensors.end() || found->second.shape() != tensor.shape()) return false;
    if (tensor.dtype() == DType::F32) {
      for (int64_t i = 0; i < tensor.size(); ++i)
        if (std::abs(tensor.data<float>()[i] - found->second.data<float>()[i]) > 1e-6f) return false;
    } else if (std::memcmp(tensor.raw(), found->second.raw(), tensor.bytes()) != 0) {
      return false;
    }
  }
  return true;
}

// A test's own data set and cache, which it may change, and a run of one epoch on them.
class ChangedData : public testing::Test {
 protected:
  void SetUp() override {
    fs::copy(workspace().data, data_, fs::copy_options::recursive);
    prepare();
    ASSERT_EQ(train("--epochs 1 --out " + run_).exit_code, 0);
  }
  void prepare(uint64_t seed = 0) const {
    data::PrepareOptions options = small_options(data_, cache_);
    options.split.seed = seed;
    data::prepare(options);
  }
  ProgramResult train(const std::string& flags) const {
    return run_program("train_backbone",
                       "--model vis-conv --width 0.125 --image-size 75 --batch 4 --lr 1e-3 "
                       "--log-steps 2 --threads 1 --cache " +
                           cache_ + " " + flags);
  }
  ProgramResult resume() const { return train("--epochs 2 --resume --out " + run_); }
  ProgramResult extract(const std::string& out) const {
    return run_program("extract_embeddings", str("--backbone ", run_, " --threads 1 --cache ", cache_, " --out ", out));
  }
  void forget(const std::string& file, const std::string& key) const {
    Checkpoint checkpoint = Checkpoint::load(file);
    ASSERT_EQ(checkpoint.metadata.erase(key), 1u);
    checkpoint.save(file);
  }

  Folder folder_;
  const std::string data_ = (folder_ / "data").string(), cache_ = (folder_ / "cache").string(),
                    run_ = (folder_ / "run").string();
};

TEST_F(ChangedData, ResumeIsRefusedOnOtherClipsLabelsOrSplitsInOneLineThatNamesBoth) {
  const auto refused = [&](const std::string& what) {
    const ProgramResult result = resume();
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.err, HasSubstr(str(run_, "/last.safetensors: the run learned from other ", what, " than ",
                                          cache_, " holds now")));
  };
  prepare(7);
  refused("labels or splits");
  prepare();
  const fs::path clip = fs::path(data_) / "bus/clip0.mp4", elsewhere = folder_ / "kept.mp4";
  fs::rename(clip, elsewhere);
  write_clip(clip, 30, 1.1);  // same length, other pictures
  prepare();
  refused("clips");
  fs::rename(elsewhere, clip);
  fs::remove(fs::path(data_) / "tram/clip5.mp4");  // the data set becomes smaller
  prepare();
  refused("clips");
  fs::copy(workspace().clip(1, 5), fs::path(data_) / "tram/clip5.mp4");
  prepare();
  EXPECT_EQ(resume().exit_code, 0) << "the same clips again, decoded at another time";
}

TEST_F(ChangedData, ARunWithoutAFingerprintGoesOnWithOneLineUnlessItsStepsSayOtherwise) {
  forget(run_ + "/last.safetensors", "data");
  const std::string last = bytes_of(run_ + "/last.safetensors");
  for (int i = 4; i < 12; ++i) fs::remove(fs::path(data_) / "bus" / str("clip", i, ".mp4"));
  prepare();
  const ProgramResult shrunk = resume();
  EXPECT_EQ(shrunk.exit_code, 1);
  EXPECT_THAT(shrunk.err, HasSubstr("the run learned from other clips"));
  for (int i = 4; i < 12; ++i) fs::copy(workspace().clip(0, i), fs::path(data_) / "bus" / str("clip", i, ".mp4"));
  prepare();
  const ProgramResult result = resume();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("last.safetensors was written before data had fingerprints"));
}

TEST_F(ChangedData, AnotherCutCostsAnExtractionNothingAndOtherClipsAreExtractedAgain) {
  const std::string out = (folder_ / "all.safetensors").string(), fresh = (folder_ / "fresh.safetensors").string();
  ASSERT_EQ(extract(out).exit_code, 0);
  prepare(7);
  const ProgramResult again = extract(out);
  EXPECT_THAT(again.out, HasSubstr("25 clips, as they were; labels and splits are the cache's")) << again.err;
  ASSERT_EQ(extract(fresh).exit_code, 0);
  EXPECT_TRUE(is_same_extraction(out, fresh));

  write_clip(fs::path(data_) / "bus/clip0.mp4", 30, 1.1);
  prepare(7);
  EXPECT_THAT(extract(out).out, testing::Not(HasSubstr("as they were")));
  EXPECT_FALSE(is_same_extraction(out, fresh));
}

// Kills extraction after the first shard, then replaces a video by one of the same length.
TEST_F(ChangedData, ShardsOfOtherContentsAreNotContinued) {
  const std::string out = (folder_ / "all.safetensors").string(), fresh = (folder_ / "fresh.safetensors").string();
  ASSERT_EQ(extract(out).exit_code, 0);
  fs::create_directories(out + ".partial");
  write_text(out + ".partial/thesis.txt", "mine");
  const RunningProgram program("extract_embeddings",
                               str("--backbone ", run_, " --threads 1 --batch 2 --cache ", cache_, " --out ", out),
                               (folder_ / "log").string());
  const auto shards = [&] { return std::distance(fs::directory_iterator(out + ".partial"), {}); };
  for (int i = 0; i < 2000 && shards() < 3; ++i) sleep_seconds(0.002);  // the lock, thesis.txt and a shard
  program.send(SIGKILL);
  program.wait();
  write_clip(fs::path(data_) / "bus/clip0.mp4", 30, 1.1);
  prepare();
  const std::string batch = " --batch 2";
  ASSERT_EQ(run_program("extract_embeddings",
                        str("--backbone ", run_, " --threads 1 --batch 2 --cache ", cache_, " --out ", out))
                .exit_code,
            0);
  ASSERT_EQ(run_program("extract_embeddings",
                        str("--backbone ", run_, " --threads 1 --batch 2 --cache ", cache_, " --out ", fresh))
                .exit_code,
            0);
  EXPECT_TRUE(bytes_of(out) == bytes_of(fresh));
  EXPECT_EQ(bytes_of(out + ".partial/thesis.txt"), "mine");
  EXPECT_EQ(shards(), 1) << "our own files are gone";
}

TEST_F(ChangedData, ARunWhoseBestWeightsAreGoneSaysSo) {
  fs::remove(run_ + "/best.safetensors");
  const ProgramResult done = train("--epochs 1 --resume --out " + run_);
  EXPECT_EQ(done.exit_code, 1);
  EXPECT_THAT(done.err, HasSubstr("best.safetensors: is gone, and the run is at its end"));
  const ProgramResult result = resume();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("best.safetensors: is gone; the best of the epochs to come"));
  EXPECT_TRUE(fs::exists(run_ + "/best.safetensors"));
}

TEST_F(ChangedData, ARunWhoseFlagsAreGoneGoesOnWithThemAndNoOthers) {
  fs::remove(run_ + "/config.toml");
  const ProgramResult other = train("--epochs 1 --seed 9 --resume --out " + run_);
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("config.toml: is gone, and these are not the flags"));
  EXPECT_EQ(train("--epochs 1 --resume --out " + run_).exit_code, 0);
  EXPECT_TRUE(fs::exists(run_ + "/config.toml"));
}

TEST_F(ChangedData, ADamagedCheckpointIsNeverUsed) {
  std::string bytes = bytes_of(run_ + "/best.safetensors");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  std::ofstream(run_ + "/best.safetensors", std::ios::binary) << bytes;
  const ProgramResult result = extract((folder_ / "all.safetensors").string());
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("best.safetensors: damaged: some of the"));
}

TEST_F(ChangedData, OverwrittenFusionsLeaveNoOldWeightsBesideNewFlagsAndOutputsMayBeStreams) {
  const std::string all = (folder_ / "all.safetensors").string(), fusion = (folder_ / "f4").string();
  ASSERT_EQ(extract(all).exit_code, 0);
  const std::string flags = str("--embeddings ", all, " --method f4 --epochs 2 --threads 1 --out ", fusion);
  ASSERT_EQ(run_program("train_fusion", flags).exit_code, 0);

  const std::string evaluate = str("--fusion ", fusion, " --threads 1 --embeddings ", all);
  const ProgramResult piped = run_program("evaluate", evaluate + " --json /dev/stdout | cat");
  EXPECT_THAT(piped.out, HasSubstr("\"confusion\"")) << piped.err;
  EXPECT_EQ(run_program("evaluate", evaluate + " --json /dev/null --report /dev/null").exit_code, 0);
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  fs::create_symlink("real.json", folder_ / "link.json");
  EXPECT_EQ(run_program("evaluate", evaluate + " --json " + (folder_ / "link.json").string()).exit_code, 0);
  EXPECT_TRUE(fs::is_symlink(folder_ / "link.json") && fs::is_regular_file(folder_ / "real.json"));

  const ProgramResult failed = run_program("train_fusion", flags + " --overwrite --lr 1e38");
  EXPECT_EQ(failed.exit_code, 1) << failed.err;
  EXPECT_FALSE(fs::exists(fusion + "/best.safetensors"));
  EXPECT_EQ(run_program("evaluate", evaluate).exit_code, 1);
}

}  // namespace
}  // namespace avs::test
