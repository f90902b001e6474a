// Training and extraction that are killed, interrupted, or run out of resources, and their files.
#include <sys/mount.h>

#include <nlohmann/json.hpp>

#include "apps/train/backbone_training.h"
#include "tensor/parallel.h"
#include "tests/apps/training_workspace.h"

namespace avs::test {
namespace {

using testing::HasSubstr;

// metrics.jsonl without times and memory.
std::vector<std::string> metrics_of(const std::string& run) {
  std::ifstream in(run + "/metrics.jsonl");
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    nlohmann::json step = nlohmann::json::parse(line);
    step.erase("seconds");
    step.erase("peak_bytes");
    lines.push_back(step.dump());
  }
  return lines;
}

void expect_same_run(const std::string& a, const std::string& b) {
  EXPECT_TRUE(bytes_of(a + "/best.safetensors") == bytes_of(b + "/best.safetensors"));
  EXPECT_TRUE(bytes_of(a + "/last.safetensors") == bytes_of(b + "/last.safetensors"));
  EXPECT_EQ(metrics_of(a), metrics_of(b));
}

// One undisturbed run that uses everything with state: averaged weights, a schedule, flips, mixup, dropout.
const std::string kStateful = " --epochs 3 --ema 0.9 --schedule one-cycle --augment flip --frames-per-clip 2";

struct Reference {
  std::string run = workspace().path("reference");
  double seconds = seconds_of([this] {
    const ProgramResult result = run_program("train_backbone", visual_flags() + kStateful + " --out " + run);
    if (result.exit_code != 0) throw Error(result.err);
  });
};
const Reference& reference_run() {
  static const Reference once;
  return once;
}

TEST(Resume, ARunKilledAtRandomPointsEndsWithTheSameBytes) {
  const Reference& reference = reference_run();
  const std::string run = workspace().path("killed");
  Rng rng(11);
  int kills = 0, code = -1;
  for (int attempt = 0; attempt < 12 && code != 0; ++attempt) {
    const RunningProgram program("train_backbone",
                                 visual_flags() + kStateful + " --checkpoint-steps 1 --resume --out " + run,
                                 workspace().path("killed.log"));
    if (attempt < 6) {
      sleep_seconds(rng.uniform(0.1, 1.0) * reference.seconds);
      program.send(SIGKILL);
      ++kills;
    }
    code = program.wait();
  }
  ASSERT_EQ(code, 0) << bytes_of(workspace().path("killed.log"));
  EXPECT_GT(kills, 0);
  expect_same_run(reference.run, run);
}

TEST(Resume, CtrlCEndsWithinSecondsWithACheckpointAndTheRunContinues) {
  const Reference& reference = reference_run();
  const std::string run = workspace().path("interrupted"), log = workspace().path("interrupted.log");
  const std::string command = visual_flags() + kStateful + " --out " + run;
  const RunningProgram program("train_backbone", command, log);
  for (int i = 0; i < 600 && metrics_of(run).empty(); ++i) sleep_seconds(0.1);
  program.send(SIGINT);
  int code = -1;
  EXPECT_LT(seconds_of([&] { code = program.wait(); }), 10);
  EXPECT_EQ(code, 1);
  EXPECT_THAT(bytes_of(log), HasSubstr("--resume"));
  EXPECT_TRUE(fs::exists(run + "/last.safetensors"));
  EXPECT_EQ(run_program("train_backbone", "--resume --out " + run).exit_code, 0);  // the RUN folder holds all flags
  expect_same_run(reference.run, run);
}

// An interrupted forward pass must not change the statistics in the checkpoint.
TEST(Resume, AnInterruptedStepLeavesNoTraceInBatchNormStatistics) {
  const std::string flags = sound_flags() + " --epochs 1";
  const std::string whole = workspace().path("sound-whole");
  ASSERT_EQ(run_program("train_backbone", flags + " --out " + whole).exit_code, 0);
  for (const int signal : {SIGTERM, SIGHUP}) {  // SIGHUP: the terminal was closed
    const std::string run = workspace().path(str("sound-interrupted-", signal)), log = workspace().path("sound.log");
    const RunningProgram program("train_backbone", flags + " --out " + run, log);
    for (int i = 0; i < 600 && metrics_of(run).empty(); ++i) sleep_seconds(0.05);
    program.send(signal);
    EXPECT_EQ(program.wait(), 1);
    EXPECT_THAT(bytes_of(log), HasSubstr("interrupted after step"));
    EXPECT_EQ(run_program("train_backbone", "--resume --out " + run).exit_code, 0);
    expect_same_run(whole, run);
  }
}

TEST(Resume, OtherFlagsThanTheRunsAreRefusedAndMoreEpochsAreNot) {
  const std::string run = workspace().path("continued");
  ASSERT_EQ(run_program("train_backbone", visual_flags() + " --epochs 1 --out " + run).exit_code, 0);
  const ProgramResult again = run_program("train_backbone", visual_flags() + " --epochs 1 --out " + run);
  EXPECT_EQ(again.exit_code, 2);
  EXPECT_THAT(again.err, HasSubstr("--resume"));
  const ProgramResult other = run_program("train_backbone", visual_flags() + " --seed 9 --resume --out " + run);
  EXPECT_EQ(other.exit_code, 2);
  EXPECT_THAT(other.err, HasSubstr("--seed 9 (the run has 1)"));
  EXPECT_EQ(run_program("train_backbone", "--epochs 2 --resume --out " + run).exit_code, 0);
  const std::string straight = workspace().path("straight");
  ASSERT_EQ(run_program("train_backbone", visual_flags() + " --epochs 2 --out " + straight).exit_code, 0);
  EXPECT_EQ(metrics_of(run), metrics_of(straight));
}

TEST(Resume, ASecondProcessOnTheSameRunIsRefused) {
  const RunFolder held(workspace().path("held"));
  const ProgramResult result = run_program("train_backbone", visual_flags() + " --out " + held.folder().string());
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("another process"));
}

BackboneTraining tiny_training(const std::string& out, int64_t epochs) {
  BackboneTraining options;
  options.model = "vis-conv";
  options.cache = workspace().cache;
  options.out = out;
  options.width = 0.125;
  options.image_size = 75;
  options.learning.epochs = epochs;
  options.learning.batch = 8;
  return options;
}

TEST(Resume, NanStopsTheRunWithStepAndParameterAndKeepsTheLastGoodCheckpoint) {
  const data::Cache cache = data::Cache::open(workspace().cache);
  const std::string out = workspace().path("nan");
  set_thread_count(1);
  RunFolder run(out);
  BackboneTrainer(tiny_training(out, 1), cache, run).train();
  const std::string good = bytes_of(run.last());

  const BackboneTraining more = tiny_training(out, 2);
  BackboneTrainer trainer(more, cache, run);
  Parameter* const victim = trainer.model().parameters().at(5);
  Tensor poisoned = victim->variable.value();
  poisoned.data<float>()[1] = NAN;
  try {
    trainer.train();
    FAIL() << "the run went on";
  } catch (const NumericError& error) {
    EXPECT_THAT(error.what(), HasSubstr("'" + victim->path + "'"));
    EXPECT_THAT(error.what(), HasSubstr("epoch 2"));
    EXPECT_THAT(error.what(), HasSubstr(str("step ", trainer.position().step + 1)));
  }
  EXPECT_TRUE(bytes_of(run.last()) == good);
}

TEST(Resume, ALearningRateThatExplodesEndsWithOneMessageAndCodeOne) {
  const std::string run = workspace().path("explodes");
  const ProgramResult result = run_program("train_backbone", visual_flags() + " --lr 1e30 --epochs 2 --out " + run);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("step"));
  EXPECT_THAT(result.err, HasSubstr("last good checkpoint"));
}

TEST(Resume, AFullDiskKeepsTheOldCheckpoint) {
  const std::string disk = workspace().path("disk");
  fs::create_directories(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64m") != 0) GTEST_SKIP() << "needs root to mount a small disk";
  const std::string run = disk + "/run";
  ASSERT_EQ(run_program("train_backbone", visual_flags() + " --epochs 1 --out " + run).exit_code, 0);
  const std::string good = bytes_of(run + "/last.safetensors");
  EXPECT_EQ(::mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=11m"), 0);
  const ProgramResult result = run_program("train_backbone", "--epochs 3 --resume --out " + run);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("No space left"));
  EXPECT_TRUE(bytes_of(run + "/last.safetensors") == good);
  EXPECT_EQ(::mount("tmpfs", disk.c_str(), "tmpfs", MS_REMOUNT, "size=64m"), 0);
  EXPECT_EQ(run_program("train_backbone", "--epochs 3 --resume --out " + run).exit_code, 0);
  ::umount(disk.c_str());
}

TEST(Resume, AKilledExtractionEndsWithTheSameBytes) {
  const Reference& reference = reference_run();
  const std::string whole = workspace().path("whole.safetensors"), killed = workspace().path("killed.safetensors");
  const std::string flags = str("--backbone ", reference.run, " --threads 1 --cache ", workspace().cache, " --out ");
  const double seconds = seconds_of([&] { ASSERT_EQ(run_program("extract_embeddings", flags + whole).exit_code, 0); });
  Rng rng(3);
  for (int i = 0; i < 3; ++i) {
    const RunningProgram program("extract_embeddings", flags + killed, workspace().path("extract.log"));
    sleep_seconds(rng.uniform(0.2, 0.95) * seconds);
    program.send(SIGKILL);
    program.wait();
  }
  ASSERT_EQ(run_program("extract_embeddings", flags + killed).exit_code, 0);
  EXPECT_TRUE(bytes_of(whole) == bytes_of(killed));
  EXPECT_FALSE(fs::exists(killed + ".partial"));
}

}  // namespace
}  // namespace avs::test
