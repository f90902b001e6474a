// A named pipe in the place of an input: opening it would wait for ever for a writer.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/apps/run_program.h"
#include "tests/models/temporary_directory.h"
#include "tests/op_case.h"

namespace avs {
namespace {

namespace fs = std::filesystem;

struct Input {
  const char *program, *arguments;  // PIPE stands for the pipe
};

const std::vector<Input> kInputs = {
    {"prepare", "--data PIPE --cache new"},
    {"train_backbone", "--model vis-conv --cache PIPE --out new"},
    {"train_backbone", "--model vis-conv --cache none --weights PIPE --out new"},
    {"extract_embeddings", "--backbone none --cache PIPE --out new"},
    {"train_fusion", "--embeddings PIPE --method f4 --out new"},
    {"evaluate", "--fusion none --embeddings PIPE"},
    {"evaluate", "--backbone none --cache PIPE"},
    {"classify", "--fusion PIPE none.mp4"},
    {"classify_image", "--weights PIPE none.png"},
    {"extract_features", "--in PIPE --kind mel --out new"},
    {"run_model", "--model vis-conv --weights PIPE --input none --output new"},
    {"import_weights", "--model vis-conv --in PIPE --out new"},
    {"inspect_checkpoint", "PIPE"},
    {"demo_report", "--out PIPE"},
};

class Pipes : public testing::Test {
 protected:
  Pipes() {
    fs::current_path(folder_.path());
    EXPECT_EQ(::mkfifo("pipe", 0600), 0);
  }
  ~Pipes() override { fs::current_path(before_); }

  static void expect_refused(const std::string& program, const std::string& arguments) {
    SCOPED_TRACE(program + " " + arguments);
    const ProgramResult result = run_program(program, arguments, "timeout 60");
    EXPECT_THAT(result.exit_code, testing::AnyOf(1, 2)) << result.err;  // 124: it waited
    const std::string last = result.err.substr(result.err.rfind('\n', result.err.size() - 2) + 1);
    EXPECT_THAT(last, testing::AllOf(testing::StartsWith(program + ": "), testing::HasSubstr("pipe")));
    EXPECT_TRUE(fs::is_fifo("pipe"));
  }

 private:
  fs::path before_ = fs::current_path();
  TemporaryDirectory folder_;
};

TEST_F(Pipes, AsInputsOfEveryProgramAreRefusedInOneLine) {
  for (const auto& [program, arguments] : kInputs) {
    std::string line = arguments;
    line.replace(line.find("PIPE"), 4, "pipe");
    expect_refused(program, line);
  }
}

TEST_F(Pipes, AsConfigurationOfEveryProgramAreRefusedInOneLine) {
  for (const fs::directory_entry& source : fs::directory_iterator(fs::path(AVS_SOURCE_DIR) / "apps"))
    if (source.path().extension() == ".cpp") expect_refused(source.path().stem(), "--config pipe");
}

}  // namespace
}  // namespace avs
