// Runs tests/first_contact.sh on programs whose GPU is the emulation (tests/gpu tests its flow with scripts instead).
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/apps/run_program.h"

namespace avs {
namespace {

namespace fs = std::filesystem;

TEST(FirstContactOnTheEmulation, AgreesRepeatsAndKeepsToItsPlan) {
  const fs::path folder = fs::temp_directory_path() / ("avs-gpu-emulated-" + std::to_string(getpid()));
  fs::create_directories(folder);
  const std::string build = fs::path(AVS_BIN_DIR).parent_path(), out = folder / "out";
  const std::string script = fs::relative(std::string(AVS_SOURCE_DIR) + "/tests/first_contact.sh", AVS_BIN_DIR);
  const ProgramResult check = run_program(script, "--emulated " + build + " --out " + out, "AVS_EMULATION_DRY=0");
  EXPECT_EQ(check.exit_code, 0) << check.out << check.err;
  std::ifstream in(out + "/gpu-host-emulation.json");
  const nlohmann::json report = nlohmann::json::parse(in);
  EXPECT_EQ(report.at("emulated"), true);
  EXPECT_EQ(report.at("agreement").at(0).at("agrees"), true);
  EXPECT_EQ(report.at("agreement").at(0).at("repeats"), true);
  EXPECT_EQ(report.at("agreement").at(0).at("graph_is_eager"), true);
  EXPECT_GT(report.at("training").at(0).at("samples/s"), 0);
  EXPECT_GT(report.at("memory").at(1).at("measured_step"), 0);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace avs
