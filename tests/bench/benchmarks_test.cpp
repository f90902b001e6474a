// A benchmark prints only its report to stdout, so that scripts can read it as JSON.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/apps/run_program.h"

namespace avs {
namespace {

using nlohmann::json;

void prints_only_json(const std::string& program, const std::string& options, const std::string& benchmark) {
  if (!std::filesystem::exists(std::string(AVS_BIN_DIR) + "/" + program)) GTEST_SKIP() << "built with AVS_BENCH=OFF";
  const ProgramResult result = run_program(program, options + " --benchmark_filter='^" + benchmark +
                                                        "$' --benchmark_min_time=0.001 --benchmark_format=json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out, nullptr, false);
  ASSERT_FALSE(report.is_discarded()) << "not JSON: " << result.out.substr(0, 200);
  ASSERT_EQ(report.at("benchmarks").size(), 1u) << result.out;
  const json& measured = report.at("benchmarks").front();
  EXPECT_EQ(measured.at("name").get<std::string>().find(benchmark), 0u);
  EXPECT_GT(measured.at("real_time").get<double>(), 0);
}

TEST(Benchmarks, StepBenchPrintsOnlyItsReport) { prints_only_json("step_bench", "--width 0.125", "infer/vis-inc/1"); }

TEST(Benchmarks, FeaturesBenchPrintsOnlyItsReport) { prints_only_json("features_bench", "", "delta/10s"); }

}  // namespace
}  // namespace avs
