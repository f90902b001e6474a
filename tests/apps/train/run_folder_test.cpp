#include "apps/train/run_folder.h"

#include "models/file.h"
#include "tests/models/temporary_directory.h"
#include "tests/op_case.h"

namespace avs {
namespace {

std::string step(int64_t number) { return str(R"({"kind":"step","step":)", number, R"(,"seconds":)", number, "}\n"); }
std::string epoch(int64_t number, int64_t steps) {
  return str(R"({"kind":"epoch","epoch":)", number, R"(,"step":)", steps, R"(,"seconds":)", steps + 1, "}\n");
}

class MetricsFile : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  const std::filesystem::path file_ = directory_.path() / "metrics.jsonl";
};

TEST_F(MetricsFile, IsCutBackToWhatTheCheckpointHasSeen) {
  write_text(file_, step(2) + step(4) + epoch(1, 4) + step(6) + step(8) + epoch(2, 8));
  MetricsLog log(file_, {.epochs = 1, .steps = 7, .lines = 4});
  EXPECT_EQ(read_text(file_), step(2) + step(4) + epoch(1, 4) + step(6));
  EXPECT_EQ(log.lost(), 0);
  EXPECT_EQ(log.seconds_before(), 6);
  log.write(R"({"kind":"step","step":8})");
  EXPECT_EQ(log.lines(), 5);
}

// A checkpoint of the last step of an epoch, before the epoch's own line.
TEST_F(MetricsFile, AnEpochThatIsNotDoneHasNoLineYet) {
  write_text(file_, step(2) + step(4) + epoch(1, 4));
  const MetricsLog log(file_, {.epochs = 0, .steps = 4, .lines = 2});
  EXPECT_EQ(read_text(file_), step(2) + step(4));
}

TEST_F(MetricsFile, LostLinesAreCountedAndTheRunsOwnCountGoesOn) {
  write_text(file_, step(2) + step(4).substr(0, 10) + std::string(30, '\0'));
  MetricsLog log(file_, {.epochs = 1, .steps = 6, .lines = 4});
  EXPECT_EQ(read_text(file_), step(2));
  EXPECT_EQ(log.lost(), 3);
  log.write(step(8));
  EXPECT_EQ(log.lines(), 5);
  std::filesystem::remove(file_);
  EXPECT_EQ(MetricsLog(file_, {.epochs = 1, .steps = 6, .lines = 4}).lost(), 4);
}

TEST_F(MetricsFile, OfANewRunBeginsEmpty) {
  write_text(file_, step(2));
  const MetricsLog log(file_);
  EXPECT_EQ(read_text(file_), "");
  EXPECT_EQ(log.lost(), 0);
}

TEST(RunFolders, AreCleanedOfWhatAKilledProcessLeftOfTheirOwnFiles) {
  const TemporaryDirectory directory;
  const auto plant = [&](const std::string& name) { write_text(directory.path() / name, "x"); };
  plant(".best.safetensors.123-4.avs-part");
  plant(".figures.json.123-4.avs-part");  // another program may be writing it now
  plant("last.safetensors.part");
  const RunFolder run(directory.path());
  EXPECT_FALSE(std::filesystem::exists(directory.path() / ".best.safetensors.123-4.avs-part"));
  EXPECT_TRUE(std::filesystem::exists(directory.path() / ".figures.json.123-4.avs-part"));
  EXPECT_TRUE(std::filesystem::exists(directory.path() / "last.safetensors.part"));
}

}  // namespace
}  // namespace avs
