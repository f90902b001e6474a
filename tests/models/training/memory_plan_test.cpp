// A plan made of two small steps says what the allocator counts at other batch sizes.
#include "models/training/memory_plan.h"

#include "tests/models/small_backbones.h"

namespace avs {
namespace {

PlannedRun small_run(const std::string& model) {
  PlannedRun run;
  run.network = small_options(model);
  run.network.width /= 2;
  return run;
}

class MemoryPlans : public testing::TestWithParam<std::string> {};

TEST_P(MemoryPlans, AreWhatTheAllocatorCounts) {
  for (const bool recompute : {false, true}) {
    PlannedRun run = small_run(GetParam());
    run.recompute = recompute;
    const MemoryPlan plan = plan_memory(run);
    SCOPED_TRACE(recompute ? "recomputing" : "");
    // Mixup leaves the last of an odd batch alone: 7 samples are 13 rows, planned as 14.
    const MemoryNeed need = plan.at(7);
    const MeasuredPeaks measured = measure_memory(run, 7);
    const auto step = static_cast<double>(measured.step), inference = static_cast<double>(measured.inference);
    EXPECT_NEAR(static_cast<double>(need.peak), step, 0.08 * step);
    EXPECT_NEAR(static_cast<double>(need.inference), inference, 0.02 * inference);
    EXPECT_EQ(need.peak, need.parameters + need.gradients + need.optimizer + need.activations + need.workspaces);
  }
}

TEST_P(MemoryPlans, OfEvenBatchesAreExact) {
  const PlannedRun run = small_run(GetParam());
  const MemoryPlan plan = plan_memory(run);
  const auto measured = static_cast<double>(measure_memory(run, 6).step);
  EXPECT_NEAR(static_cast<double>(plan.at(6).peak), measured, 0.01 * measured);
}

INSTANTIATE_TEST_SUITE_P(Backbones, MemoryPlans, testing::Values("aud-mel", "vis-inc", "vis-conv"),
                         [](const auto& test) {  // one of each kind
                           std::string name = test.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(MemoryPlan, TellsParametersGradientsAndOptimizerApart) {
  const PlannedRun run = small_run("vis-conv");
  const MemoryNeed need = plan_memory(run).at(2);
  const auto values = static_cast<double>(make_backbone(run.network)->parameter_count()) * sizeof(float);
  const auto near = [&](size_t bytes, double expected) {
    EXPECT_NEAR(static_cast<double>(bytes), expected, 0.1 * expected);
  };
  near(need.parameters, values);
  near(need.optimizer, 2 * values);
  EXPECT_GE(static_cast<double>(need.gradients), values);  // the arena's, and those not yet gathered
  EXPECT_GT(need.activations, 0u);
  EXPECT_THAT(need.largest, testing::HasSubstr("activations of stage"));
}

TEST(MemoryPlan, TheLargestBatchFitsAndOneMoreDoesNot) {
  const MemoryPlan plan = plan_memory(small_run("vis-conv"));
  const size_t bytes = plan.at(20).training;
  EXPECT_EQ(plan.largest_batch(bytes), 20);
  EXPECT_EQ(plan.largest_batch(bytes - 1), 19);
  EXPECT_EQ(plan.largest_batch(1000), 0);
}

TEST(Holders, AreToldByStageAndLargestFirst) {
  const auto net = make_backbone(small_options("vis-conv"));
  const ParameterArena arena(*net);  // parameters move into it
  const Tensor x = random_input(small_input("vis-conv", 4), 1);
  const Variable y = net->run(x).logits;
  size_t parameters = 0, stages = 0;
  const std::vector<Holder> all = holders(kCpu);
  for (size_t i = 1; i < all.size(); ++i) EXPECT_GE(all[i - 1].bytes, all[i].bytes);
  for (const Holder& holder : all) {
    if (holder.name == "parameters") parameters = holder.bytes;
    if (holder.name.starts_with("activations of stage")) stages += holder.bytes;
  }
  EXPECT_GE(parameters, static_cast<size_t>(net->parameter_count()) * sizeof(float));
  EXPECT_GT(stages, 0u);
  y.backward(Tensor::full(y.shape(), 1.0f));
  for (const Holder& holder : holders(kCpu))
    EXPECT_FALSE(holder.name.starts_with("activations of stage")) << holder.name;
}

TEST(Holders, AnOutOfMemoryNamesThem) {
  const HolderScope scope("a large thing");
  const Tensor held = Tensor::zeros({1 << 20});
  context(kCpu).release_cached();  // or the next tensor comes from there
  context(kCpu).set_memory_limit(context(kCpu).memory().live_bytes + (1 << 20));
  const std::string error = error_of<OutOfMemory>([] { Tensor::empty({1 << 20}); });
  context(kCpu).set_memory_limit(0);
  EXPECT_THAT(error, testing::HasSubstr("held by"));
  EXPECT_THAT(error, testing::HasSubstr("a large thing 4.2 MB"));
}

}  // namespace
}  // namespace avs
