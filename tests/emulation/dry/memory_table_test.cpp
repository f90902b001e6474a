// Memory plans of the networks at full width on the CUDA backend's allocator, and the table of docs/porting.md.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>
#include <tuple>

#include "models/training/memory_plan.h"
#include "tests/apps/run_program.h"
#include "tests/emulation/gpu.h"
#include "tests/op_case.h"

namespace avs {
namespace {

PlannedRun full_run(const std::string& model, DType dtype, bool recompute) {
  PlannedRun run;
  run.network.model = model;
  run.placement = {kGpu, dtype};
  run.recompute = recompute;
  return run;
}

// The plan is made at 2 and 4 samples; 32 are the paper's batch. Measured: its peak is too large by 1.9 % for aud-mel
// in 16 bits and by less elsewhere, because temporary tensors fit the arena's segments differently.
TEST(MemoryTable, PlansAreWhatTheArenaCountsAtFullWidth) {
  for (const auto& [model, dtype, recompute] : {std::tuple{"aud-mel", DType::BF16, false},
                                                {"vis-inc", DType::F32, true},
                                                {"vis-inc", DType::BF16, false},
                                                {"vis-conv", DType::F32, false},
                                                {"vis-conv", DType::BF16, true}}) {
    SCOPED_TRACE(str(model, " ", dtype, recompute ? " recompute" : ""));
    const PlannedRun run = full_run(model, dtype, recompute);
    const MemoryNeed need = plan_memory(run).at(32);
    const MeasuredPeaks measured = measure_memory(run, 32);
    const auto step = static_cast<double>(measured.step), inference = static_cast<double>(measured.inference);
    EXPECT_NEAR(static_cast<double>(need.peak), step, 0.03 * step);
    // Large batches may not need the scratch memory of the small batches that the plan is made from.
    EXPECT_GE(1.01 * static_cast<double>(need.inference), inference);
    EXPECT_LE(static_cast<double>(need.inference), 1.6 * inference);
  }
}

std::vector<std::string> rows_of(std::istream& in) {
  std::vector<std::string> rows;
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("| aud-") || line.starts_with("| vis-")) rows.push_back(line);
  return rows;
}

TEST(MemoryTable, OfTheDocumentIsWhatTheProgramPrints) {
  std::ifstream document(std::string(AVS_SOURCE_DIR) + "/docs/porting.md");
  const std::vector<std::string> written = rows_of(document);
  ASSERT_EQ(written.size(), 12u) << "three networks, two types, with and without --recompute";
  std::istringstream printed(run_program("emulated_memory_plan", "--table --device cuda --model vis-conv").out);
  const std::vector<std::string> now = rows_of(printed);
  ASSERT_EQ(now.size(), 4u);
  for (const std::string& row : now)
    EXPECT_THAT(written, testing::Contains(row)) << "./run memory_table prints the present one";
}

TEST(MemoryTable, EveryBackboneTrainsInFourGigabytesAndAnswersInOne) {
  for (const char* model : {"aud-mel", "vis-inc", "vis-conv"}) {  // aud-gam and aud-cqt have aud-mel's network
    const MemoryPlan plan = plan_memory(full_run(model, DType::F32, true));
    EXPECT_GE(plan.largest_batch(4'000'000'000), 1) << model;
    EXPECT_LE(plan.at(1).inference, 1'000'000'000u) << model;
  }
}

TEST(MemoryTable, ADeviceThatIsFullSaysWhichBatchWouldFit) {
  const ProgramResult result = run_program("emulated_memory_plan", "--model vis-inc --batch 16 --measure --device cuda",
                                           "AVS_EMULATION_MEMORY=1000000000");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, testing::HasSubstr("of 1000000000 left"));
  EXPECT_THAT(result.err, testing::HasSubstr("held by"));
  EXPECT_THAT(result.err, testing::HasSubstr("in layer '"));
}

}  // namespace
}  // namespace avs
