// Memory and time: the message of training that does not fit (memory by category, and a batch that does fit),
// --memory-plan, --profile, selftest.
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "tests/apps/training_workspace.h"

namespace avs::test {
namespace {

using testing::HasSubstr;

const std::string kFlags =
    str("--model vis-conv --width 0.125 --image-size 128 --threads 1 --mixup none --epochs 1 --cache ");

TEST(MemoryLimit, NamesHoldersAndABatchThatFits) {
  const std::string flags = kFlags + workspace().cache + " --memory-limit 60MB";
  const ProgramResult full = run_program("train_backbone", flags + " --batch 16 --out " + workspace().path("full"));
  ASSERT_EQ(full.exit_code, 1) << full.err;
  EXPECT_THAT(full.err, HasSubstr("the memory limit is 62914560"));
  EXPECT_THAT(full.err, HasSubstr("held by"));
  EXPECT_THAT(full.err, HasSubstr("activations of stage"));
  EXPECT_THAT(full.err, HasSubstr("in layer '"));
  EXPECT_THAT(full.err, HasSubstr("in step 1, epoch 1"));
  std::smatch batch;
  ASSERT_TRUE(std::regex_search(full.err, batch,
                                std::regex("--batch (\\d+) would fit; with --recompute .*--batch (\\d+) would")))
      << full.err;
  EXPECT_GT(std::stoi(batch[2]), std::stoi(batch[1]));
  for (const auto& [size, more] : {std::pair{batch[1].str(), ""}, {batch[2].str(), " --recompute"}}) {
    const std::string run = workspace().path("fits-" + size);
    const ProgramResult fits = run_program("train_backbone", str(flags, " --batch ", size, more, " --out ", run));
    EXPECT_EQ(fits.exit_code, 0) << "--batch " << size << more << "\n" << fits.err;
  }
}

TEST(MemoryLimit, ThatNothingFitsInIsSaid) {
  const ProgramResult result =
      run_program("train_backbone",
                  kFlags + workspace().cache + " --memory-limit 22MB --batch 4 --out " + workspace().path("tiny"));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, testing::AnyOf(HasSubstr("not even --batch 1"), HasSubstr("held by parameters")));
}

TEST(MemoryPlanFlag, PrintsTheTableBeforeTraining) {
  const ProgramResult result = run_program(
      "train_backbone", kFlags + workspace().cache + " --batch 4 --memory-plan --out " + workspace().path("planned"));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* word : {"parameters", "gradients", "optimizer", "activations", "workspaces", "peak"})
    EXPECT_THAT(result.err, HasSubstr(word));
}

TEST(ProfileFlag, WritesATimelineOfOneStep) {
  const std::string file = workspace().path("profile.json");
  const ProgramResult result = run_program("train_backbone", kFlags + workspace().cache + " --batch 4 --profile " +
                                                                 file + " --out " + workspace().path("profiled"));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("profile of step 2: " + file));
  const nlohmann::json trace = nlohmann::json::parse(bytes_of(file));
  std::set<std::string> names;
  for (const auto& event : trace.at("traceEvents")) names.insert(event.at("name"));
  for (const char* name : {"load", "adam", "depthwise_layer_norm", "linear", "softmax_kl"})
    EXPECT_TRUE(names.contains(name)) << name;
}

TEST(Selftest, IsRightOnTheCpuAndRefusesNonsense) {
  const ProgramResult result = run_program("selftest", "--device cpu --threads 1 --filter 'Gelu*:Relu*'");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("2 groups of ops"));
  EXPECT_THAT(result.out, HasSubstr(": 0 wrong"));
  EXPECT_EQ(run_program("selftest", "--device cpu --filter Nothing.*").exit_code, 2);
}

TEST(MemoryPlanProgram, WritesFiguresAndRefusesNonsense) {
  const std::string file = workspace().path("plan.json");
  const ProgramResult result = run_program("memory_plan",
                                           "--model vis-conv --width 0.125 --image-size 75 --threads 1 --batch 2,8 "
                                           "--fits 1GB --device cpu --json " +
                                               file);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("the largest --batch is "));
  const nlohmann::json plan = nlohmann::json::parse(bytes_of(file));
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_GT(plan[1]["activations"], plan[0]["activations"]);
  EXPECT_EQ(plan[1]["optimizer"], plan[0]["optimizer"]);
  EXPECT_EQ(run_program("memory_plan", "--model resnet").exit_code, 2);
  for (const char* batch : {"0", "8,-1", "9223372036854775807"})  // planning the last one used to run forever
    EXPECT_EQ(run_program("memory_plan", str("--batch ", batch)).exit_code, 2) << batch;
}

}  // namespace
}  // namespace avs::test
