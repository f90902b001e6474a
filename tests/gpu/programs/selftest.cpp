// selftest: compares every op on one device with its double-precision reference, and its gradients with central
// differences of that: the cases of tests/tensor/ops, one line per op.
//
//   selftest [--device auto|cpu|cuda|cuda:N] [--filter 'Conv2d.*']      exit 1 if an op is wrong
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <iostream>

#include "apps/cli/compute_options.h"
#include "apps/cli/program.h"
#include "tests/op_case.h"

namespace avs {
namespace {

// Prints one line for each suite, and failures at once.
class LinePerOp final : public testing::EmptyTestEventListener {
 public:
  int ops() const { return ops_; }

 private:
  using Clock = std::chrono::steady_clock;
  void OnTestSuiteStart(const testing::TestSuite&) override { started_ = Clock::now(); }
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::cerr << (result.file_name() == nullptr ? "" : result.file_name()) << ':' << result.line_number() << ": "
              << result.message() << '\n';
  }
  void OnTestSuiteEnd(const testing::TestSuite& suite) override {
    if (suite.test_to_run_count() == 0) return;
    ++ops_;
    std::cout << fmt::format("{:<22} {:>3} cases  {:>6.2f} s  {}\n", suite.name(), suite.test_to_run_count(),
                             std::chrono::duration<double>(Clock::now() - started_).count(),
                             suite.Failed() ? "WRONG" : "right")
              << std::flush;
  }

  Clock::time_point started_;
  int ops_ = 0;
};

int test_on(const ComputeOptions& compute, const std::string& filter) {
  test_only_on(use_device(compute).device);
  int argc = 1;
  std::string name = "selftest";
  char* argv[] = {name.data(), nullptr};
  testing::InitGoogleTest(&argc, argv);
  GTEST_FLAG_SET(filter, filter);
  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  delete listeners.Release(listeners.default_result_printer());
  auto* const lines = new LinePerOp;
  listeners.Append(lines);
  const int result = RUN_ALL_TESTS();
  if (lines->ops() == 0) throw UsageError("--filter " + filter + ": there is no such case");
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  std::cout << fmt::format("{} groups of ops, {} cases: {} wrong\n", lines->ops(), all.test_to_run_count(),
                           all.failed_test_count());
  return result;
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  avs::Program program("selftest", "Every op on this device against its double-precision reference.",
                       "selftest --device cuda\nselftest --device cpu --filter 'LayerNorm*'");
  avs::ComputeOptions compute;
  std::string filter = "*";
  avs::add_compute_options(program.flags(), compute);
  program.flags().add("--filter", filter, "GoogleTest's pattern of cases").shows_default();
  return program.run(argc, argv, [&] {
    if (avs::test_on(compute, filter) != 0) throw avs::DeviceError("an op computes something else than its reference");
  });
}
