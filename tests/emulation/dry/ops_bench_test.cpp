// Runs every op benchmark on the emulated device, which checks each access of its kernels, before a GPU runs them.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tests/apps/run_program.h"

namespace avs {
namespace {

void runs_every_benchmark(const std::string& filter, const std::string& environment, size_t at_least) {
  const ProgramResult bench = run_program(
      "emulated_ops_bench", "--benchmark_filter='" + filter + "' --benchmark_min_time=1e-9 --benchmark_format=json",
      environment + " AVS_BENCH_SMALL=1 AVS_EMULATION_DRY=0");
  ASSERT_EQ(bench.exit_code, 0) << bench.out.substr(bench.out.size() - std::min<size_t>(bench.out.size(), 300))
                                << bench.err;
  const nlohmann::json report = nlohmann::json::parse(bench.out);
  std::set<std::string> names;
  for (const auto& one : report.at("benchmarks")) {
    EXPECT_FALSE(one.value("error_occurred", false)) << one;
    names.insert(one.at("name").get<std::string>());
  }
  EXPECT_GE(names.size(), at_least);
}

TEST(OpsBenchOnTheEmulation, EveryBenchmarkRuns) { runs_every_benchmark("device:1", "", 80); }

TEST(OpsBenchOnTheEmulation, OwnKernelsRunToo) {
  runs_every_benchmark("^(linear|conv2d).*device:1", "AVS_CUBLAS=0 AVS_CUDNN=0", 40);
}

}  // namespace
}  // namespace avs
