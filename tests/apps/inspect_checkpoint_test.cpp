#include <nlohmann/json.hpp>

#include "models/checkpoint.h"
#include "tests/apps/run_program.h"
#include "tests/models/temporary_directory.h"
#include "tests/op_case.h"

namespace avs {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class InspectCheckpoint : public testing::Test {
 protected:
  void SetUp() override {
    Checkpoint c;
    c.tensors["b.weight"] = to_tensor({1, -3, NAN, 4, INFINITY, 2}, {2, 3});
    c.tensors["a.labels"] = Tensor::from({2}, std::span<const int32_t>(std::vector<int32_t>{5, 7}));
    c.metadata = {{"epoch", "3"}, {"note", "two\nlines\x1b[31m"}};
    c.save(run_ / "best.safetensors");
  }
  TemporaryDirectory directory_;
  const std::filesystem::path run_ = directory_.path();
};

TEST_F(InspectCheckpoint, CountsAndMeasuresEveryTensor) {
  const ProgramResult result = run_program("inspect_checkpoint", (run_ / "best.safetensors").string() + " --json");
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto j = nlohmann::json::parse(result.out);
  EXPECT_EQ(j["totals"]["tensors"], 2);
  EXPECT_EQ(j["totals"]["values"], 8);
  EXPECT_EQ(j["totals"]["bytes"], 32);
  EXPECT_EQ(j["totals"]["non_finite"], 2);
  EXPECT_EQ(j["metadata"]["epoch"], "3");
  const auto& w = j["tensors"][1];
  EXPECT_EQ(w["name"], "b.weight");
  EXPECT_EQ(w["dtype"], "f32");
  EXPECT_EQ(w["shape"], (std::vector<int>{2, 3}));
  EXPECT_EQ(w["min"], -3.0);
  EXPECT_EQ(w["max"], 4.0);
  EXPECT_EQ(w["mean"], 1.0);
  EXPECT_NEAR(w["std"].get<double>(), std::sqrt(6.5), 1e-12);
}

TEST_F(InspectCheckpoint, PrintsATableThatATerminalCanShow) {
  const ProgramResult result = run_program("inspect_checkpoint", (run_ / "best.safetensors").string());
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("2 tensors, 8 values"), HasSubstr("b.weight"),
                                HasSubstr("note: two\\nlines\\u001b[31m")));
  EXPECT_EQ(result.out.find('\x1b'), std::string::npos);
}

TEST_F(InspectCheckpoint, DrawsTheCurveOfARun) {
  std::ofstream(run_ / "metrics.jsonl")
      << R"({"kind":"step","epoch":1,"loss":9})" << '\n'
      << R"({"kind":"epoch","epoch":1,"loss":2.5,"validation_micro_accuracy":0.25,"validation_log_loss":2.0})" << '\n'
      << R"({"kind":"epoch","epoch":2,"loss":0.5,"validation_micro_accuracy":0.75,"validation_log_loss":1.0})" << '\n';
  const ProgramResult text = run_program("inspect_checkpoint", run_.string());
  ASSERT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, AllOf(HasSubstr("training loss (first 2.5, last 0.5"), HasSubstr("      2.5 |*"),
                              HasSubstr("      0.5 | *"), HasSubstr("validation accuracy (first 0.25, last 0.75")));
  const ProgramResult as_json = run_program("inspect_checkpoint", run_.string() + " --json");
  EXPECT_EQ(nlohmann::json::parse(as_json.out)["epochs"].size(), 2u);
}

TEST_F(InspectCheckpoint, SaysInOneLineWhatIsWrong) {
  const ProgramResult absent = run_program("inspect_checkpoint", (run_ / "none").string());
  EXPECT_EQ(absent.exit_code, 1);
  EXPECT_THAT(absent.err, HasSubstr("there is no such file or folder"));
  EXPECT_EQ(run_program("inspect_checkpoint", "").exit_code, 2);
  std::filesystem::resize_file(run_ / "best.safetensors", 20);
  EXPECT_THAT(run_program("inspect_checkpoint", run_.string()).err,
              AllOf(HasSubstr("best.safetensors"), HasSubstr("byte")));
  std::filesystem::remove(run_ / "best.safetensors");
  EXPECT_THAT(run_program("inspect_checkpoint", run_.string()).err, HasSubstr("neither best.safetensors nor"));
}

}  // namespace
}  // namespace avs
