// Programs with closed or full streams, signals, and invalid numbers.
#include <nlohmann/json.hpp>

#include "tests/apps/training_workspace.h"

namespace avs::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(Terminal, ClosedStreamsDoNotEndInFilesOfTheRun) {
  const std::string run = workspace().path("daemon");
  const std::string command = str(AVS_BIN_DIR, "/train_backbone ", sound_flags(), " --epochs 1 --out ", run);
  ASSERT_EQ(std::system(("sh -c '" + command + " <&- >&- 2>&-'").c_str()), 0);
  EXPECT_EQ(bytes_of(run + "/.lock"), "");
  std::istringstream lines(bytes_of(run + "/metrics.jsonl"));
  int64_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_TRUE(nlohmann::json::accept(line)) << line;
  EXPECT_GT(count, 0);
}

TEST(Terminal, AFullStdoutIsAFailure) {
  const std::string file = workspace().cache + "/index.json";
  for (const std::string& arguments : {std::string("--help"), std::string("--version")}) {
    const ProgramResult result = run_program("classify", arguments + " >/dev/full");
    EXPECT_EQ(result.exit_code, 1) << arguments;
    EXPECT_THAT(result.err, HasSubstr("classify: standard output cannot be written"));
  }
  const std::string plan = "--model vis-conv --width 0.125 --image-size 75 --threads 1 --batch 1 --device cpu";
  const ProgramResult result = run_program("memory_plan", plan + " >/dev/full");
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("memory_plan: standard output cannot be written"));
}

// Sends a signal while a program fills a folder: expects a message and no unfinished file.
void expect_ends_well(const std::string& program, const std::string& arguments, const fs::path& folder, int signal) {
  const std::string log = workspace().path("signal.log");
  const auto files = [&] {
    std::vector<std::string> found;
    if (fs::exists(folder))
      for (const auto& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file()) found.push_back(entry.path().filename().string());
    return found;
  };
  const RunningProgram running(program, arguments, log);
  for (int i = 0; i < 2000 && files().size() < 3; ++i) sleep_seconds(0.005);
  running.send(signal);
  EXPECT_EQ(running.wait(), 1) << program << " " << signal << ": " << bytes_of(log);
  EXPECT_THAT(bytes_of(log), HasSubstr(program + ": interrupted; the same command continues"));
  for (const std::string& file : files()) EXPECT_EQ(file.find(".part"), std::string::npos) << program << ": " << file;
}

TEST(Terminal, ProgramsThatFillAFolderEndWithAMessageAndNoUnfinishedFile) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    const fs::path demo = workspace().path(str("demo-", signal)),
                   cache = workspace().path(str("signal-cache-", signal));
    expect_ends_well("make_demo_data", str("--out ", demo.string(), " --threads 1"), demo, signal);
    expect_ends_well("prepare", str("--data ", workspace().data, " --workers 1 --cache ", cache.string()), cache,
                     signal);
  }
}

TEST(Terminal, AnIgnoredHangupStaysIgnored) {
  const fs::path demo = workspace().path("nohup");
  const std::string arguments =
      str("--out ", demo.string(), " --train-clips 1 --validation-clips 1 --test-clips 1 --seconds 0.5");
  const std::string command =
      str("trap '' HUP; ", AVS_BIN_DIR, "/make_demo_data ", arguments, " >/dev/null & while [ ! -e ", demo.string(),
          "/options.txt ]; do sleep 0.01; done; "
          "kill -HUP $!; wait $!");
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST(Terminal, NumbersThatMakeNoSenseAreWrongUsage) {
  const std::string out = " --out " + workspace().path("no-numbers");
  for (const char* flag : {"--mixup-alpha inf", "--mixup-alpha nan", "--mixup-alpha -1", "--memory-limit -5",
                           "--memory-limit 100000000000000000000", "--seed -1", "--seed 99999999999999999999",
                           "--batch 99999999999999999999", "--epochs 99999999999999999999",
                           "--batch 1000000000000000000", "--threads 1025", "--threads -1", "--checkpoint-minutes nan",
                           "--checkpoint-minutes -1", "--lr inf", "--width nan", "--image-size 1e2"}) {
    const ProgramResult result = run_program("train_backbone", visual_flags() + out + " " + flag);
    EXPECT_EQ(result.exit_code, 2) << flag << "\n" << result.err;
    const std::string name = std::string(flag).substr(0, std::string(flag).find(' '));
    const std::string value = std::string(flag).substr(name.size() + 1);
    EXPECT_THAT(result.err, AllOf(HasSubstr(name), HasSubstr(value))) << flag;
    EXPECT_EQ(std::ranges::count(result.err, '\n'), 1) << result.err;
  }
  for (const char* flag : {"--segments nan", "--segments inf", "--segments 0", "--segments -3", "--segments 3601"}) {
    const ProgramResult result = run_program("classify", str("--fusion x y.mp4 ", flag));
    EXPECT_EQ(result.exit_code, 2) << flag;
    EXPECT_THAT(result.err, AllOf(HasSubstr("--segments"), HasSubstr("expected a"))) << flag;
  }
}

TEST(Terminal, MessagesAreShortAndWithoutTheSource) {
  const std::string name(100'000, 'x');
  const ProgramResult missing = run_program("inspect_checkpoint", "/nowhere/" + name);
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_LT(missing.err.size(), 2000u);
  const ProgramResult wide =
      run_program("memory_plan", "--model vis-conv --width 99 --image-size 75 --threads 1 --batch 1 --device cpu");
  EXPECT_THAT(wide.err, AllOf(HasSubstr("width multiplier"), Not(HasSubstr(".cpp:")), Not(HasSubstr("["))));
}

}  // namespace
}  // namespace avs::test
