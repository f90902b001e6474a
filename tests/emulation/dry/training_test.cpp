// train_backbone on the emulated device, started as a user does: files left by a failing device, memory within the
// plan, and waiting for each kernel. Kernels do nothing here, so losses mean nothing.
#include <nlohmann/json.hpp>

#include "models/checkpoint.h"
#include "tests/apps/training_workspace.h"

namespace avs::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string flags_for(const std::string& run) {
  return visual_flags() + " --epochs 3 --checkpoint-steps 1 --device cuda --out " + run;
}

struct Failure {
  const char *when, *fault, *words;
};

class TrainingOnADeviceThatFails : public testing::TestWithParam<Failure> {};

TEST_P(TrainingOnADeviceThatFails, EndsWithCodeOneKeepsItsLastCheckpointAndGoesOn) {
  const std::string run = workspace().path(std::string("failing_") + GetParam().when);
  const ProgramResult failed =
      run_program("emulated_train_backbone", flags_for(run), str("AVS_EMULATION_FAULT=", GetParam().fault));
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.err, AllOf(HasSubstr("train_backbone: "), HasSubstr(GetParam().words), HasSubstr("in step ")));
  const Checkpoint last = Checkpoint::load(run + "/last.safetensors");
  EXPECT_TRUE(last.metadata.contains("position"));
  const ProgramResult resumed = run_program("emulated_train_backbone", "--resume --out " + run);
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, HasSubstr("of 3"));
}

INSTANTIATE_TEST_SUITE_P(
    Calls, TrainingOnADeviceThatFails,
    testing::Values(Failure{"replaying", "cudaGraphLaunch,2,719,sticky", "cudaErrorLaunchFailure"},
                    Failure{"in_a_kernel", "cudaLaunchKernel,4000,719,sticky", "cudaErrorLaunchFailure"},
                    Failure{"copying", "cudaMemcpyAsync,2300,700,sticky",
                            "copying from the device: cudaErrorIllegalAddress"},
                    Failure{"saving", "cudaMemcpyAsync,2600,700,sticky", "was not saved (the old file is untouched)"}),
    [](const auto& test) { return std::string(test.param.when); });

// Batches of eight from fifteen samples leave one of seven at an epoch's end, which runs outside the graph.
TEST(TrainingOnADevice, KeepsToItsMemoryPlanThroughAnEpochsShortLastBatch) {
  const std::string file = workspace().path("plan.json"), run = workspace().path("planned");
  const ProgramResult plan = run_program(
      "emulated_memory_plan", "--model vis-conv --width 0.5 --image-size 224 --batch 8 --device cuda --json " + file);
  ASSERT_EQ(plan.exit_code, 0) << plan.err;
  std::ifstream in(file);
  const auto planned = nlohmann::json::parse(in).at(0).at("training").get<int64_t>();
  const ProgramResult trained = run_program(
      "emulated_train_backbone",
      visual_flags() + str(" --width 0.5 --image-size 224 --batch 8 --epochs 2 --device cuda --memory-limit ",
                           planned * 105 / 100, " --out ", run));
  EXPECT_EQ(trained.exit_code, 0) << trained.err;
}

TEST(TrainingOnADevice, WaitsForEachKernelWhenAskedTo) {
  const ProgramResult trained = run_program(
      "emulated_train_backbone", visual_flags() + " --epochs 1 --device cuda --out " + workspace().path("waiting"),
      "AVS_SYNC_LAUNCHES=1");
  EXPECT_EQ(trained.exit_code, 0) << trained.err;
}

}  // namespace
}  // namespace avs::test
