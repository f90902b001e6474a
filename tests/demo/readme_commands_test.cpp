// Checks README.md's commands and reading route: programs, flags and files exist. The demo's programs exit properly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "tests/apps/run_program.h"

namespace avs {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const fs::path kRoot = AVS_SOURCE_DIR;

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream in(file);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The lines inside ```sh blocks.
std::vector<std::string> shell_lines(const fs::path& file) {
  std::vector<std::string> kept;
  bool inside = false;
  for (const std::string& line : lines_of(file)) {
    if (line.starts_with("```"))
      inside = line == "```sh";
    else if (inside)
      kept.push_back(line);
  }
  return kept;
}

struct Command {
  std::string program;
  std::vector<std::string> flags;
};

// The commands of a line: "for m in …; do ./run train_backbone --model $m; done" holds one, from `./run` to the next
// separator.
std::vector<Command> commands_of(const std::string& line) {
  const std::regex command("\\./run ([a-z_]+)([^;&|]*)"), flag("--[a-z][a-z0-9-]*");
  std::vector<Command> found;
  for (auto it = std::sregex_iterator(line.begin(), line.end(), command); it != std::sregex_iterator(); ++it) {
    const std::string rest = (*it)[2];
    found.push_back({(*it)[1], {}});
    for (auto f = std::sregex_iterator(rest.begin(), rest.end(), flag); f != std::sregex_iterator(); ++f)
      found.back().flags.push_back(f->str());
  }
  return found;
}

// The output of `./run NAME --help`; `run`'s own commands are described by their scripts.
std::string help_of(const std::string& program) {
  static std::map<std::string, std::string> known;
  if (const auto found = known.find(program); found != known.end()) return found->second;
  std::string text;
  if (program == "demo" || program == "test" || program == "bench" || program == "emulate" || program == "parity" ||
      program == "golden" || program == "cudnn_check" || program == "fuzz" || program == "gpu_check" ||
      program == "gpu_bundle" || program == "gpu_table" || program == "memory_table" || program == "selftest") {
    for (const std::string& line : lines_of(kRoot / "run")) text += line + "\n";
  } else if (fs::exists(kRoot / "apps" / (program + ".cpp"))) {
    const ProgramResult result = run_program(program, "--help");
    EXPECT_EQ(result.exit_code, 0) << program << " --help: " << result.err;
    text = result.out;
  } else {
    ADD_FAILURE() << "README.md names ./run " << program << ", which does not exist";
  }
  return known[program] = text;
}

TEST(ReadmeCommands, ProgramsAndFlagsExist) {
  int64_t flags = 0;
  for (const char* file : {"README.md", "docs/results.md", "docs/porting.md"})
    for (const std::string& line : shell_lines(kRoot / file))
      for (const Command& command : commands_of(line)) {
        const std::string help = help_of(command.program);
        for (const std::string& flag : command.flags) {
          ++flags;
          EXPECT_TRUE(std::regex_search(help, std::regex(flag + "($|[^a-z0-9-])"))) << file << ": " << line << "\n"
                                                                                    << flag;
        }
      }
  EXPECT_GT(flags, 30) << "the blocks were not found";
}

TEST(ReadmeCommands, EveryProgramStandsInTheTable) {
  std::stringstream readme;
  readme << std::ifstream(kRoot / "README.md").rdbuf();
  for (const auto& entry : fs::directory_iterator(kRoot / "apps")) {
    if (entry.path().extension() != ".cpp") continue;
    EXPECT_THAT(readme.str(), HasSubstr("`" + entry.path().stem().string() + "`"));
  }
}

TEST(ReadmeCommands, TheAfternoonRouteExistsAndIsAnAfternoonLong) {
  const std::regex item("^[0-9]+\\. "), quoted("`([a-z0-9_/]+\\.(cpp|h))`");
  size_t total = 0, files = 0;
  for (const std::string& line : lines_of(kRoot / "README.md")) {
    if (!std::regex_search(line, item)) continue;
    for (auto it = std::sregex_iterator(line.begin(), line.end(), quoted); it != std::sregex_iterator(); ++it) {
      const fs::path file = kRoot / (*it)[1].str();
      ASSERT_TRUE(fs::exists(file)) << file;
      total += lines_of(file).size();
      ++files;
    }
  }
  EXPECT_GE(files, 15u);
  EXPECT_GE(total, 1400u);
  EXPECT_LE(total, 1600u) << "README.md says about 1,500 lines";
}

// Runs ./run with stub test programs that know three names and log their filters; nothing is installed or built.
class RunFilters : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "build/bin");
    write("tools/dpkg-query", "echo 'install ok installed'");
    write("tools/dpkg", "exit 0");
    write("tools/ninja", "echo 'ninja: no work to do.'");
    std::ofstream(folder_ / "build/build.ninja") << "\n";
    const std::string tests =
        "case \"$*\" in\n"
        "  *--gtest_list_tests*'filter=*LayerNorm*'*) echo Ops/LayerNorm.; echo '  Agrees' ;;\n"
        "  *--gtest_list_tests*) ;;\n"
        "  *'filter=*LayerNorm*'*) echo \"$*\" >>" +
        (folder_ / "asked").string() +
        "; echo '[ RUN      ] Ops/LayerNorm.Agrees'; echo '[       OK ] Ops/LayerNorm.Agrees' ;;\n"
        "esac";
    for (const char* program : {"emulated_ops_tests", "emulation_tests", "ops_tests"})
      write(std::string("build/bin/") + program, tests);
    write("build/bin/ops_bench", "echo 'Failed to match any benchmarks against regex: x'");
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << "#!/bin/sh\n" << text << "\n";
    fs::permissions(folder_ / name, fs::perms::owner_all);
  }

  // Returns the exit code; the output and the stubs' logs are in files.
  int run(const std::string& arguments) const {
    const std::string command = "PATH=" + (folder_ / "tools").string() +
                                ":$PATH AVS_BUILD_DIR=" + (folder_ / "build").string() + " " + kRoot.string() +
                                "/run " + arguments + " >" + (folder_ / "said").string() + " 2>&1";
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string text_of(const char* name) const {
    std::stringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    return text.str();
  }

  const fs::path folder_ = fs::temp_directory_path() / ("avs-run-" + std::to_string(getpid()));
};

TEST_F(RunFilters, ABareWordIsLookedForInEveryName) {
  EXPECT_EQ(run("emulate LayerNorm"), 0) << text_of("said");
  EXPECT_THAT(text_of("asked"), HasSubstr("--gtest_filter=*LayerNorm*"));
  fs::remove(folder_ / "asked");
  EXPECT_EQ(run("test LayerNorm"), 0) << text_of("said");
  EXPECT_THAT(text_of("asked"), HasSubstr("--gtest_filter=*LayerNorm*"));
  EXPECT_THAT(text_of("said"), testing::ContainsRegex("[0-9]+ passed, 0 failed, 0 skipped"));
}

TEST_F(RunFilters, AFilterThatNothingMatchesIsWrongUsage) {
  for (const char* command : {"emulate", "test", "bench"})
    for (const char* filter : {"LayrNorm", "LayrNorm.*"}) {
      EXPECT_EQ(run(std::string(command) + " '" + filter + "'"), 2) << command << ": " << text_of("said");
      EXPECT_THAT(text_of("said"), HasSubstr(filter)) << command;
    }
}

class DemoPrograms : public testing::Test {
 protected:
  void SetUp() override { fs::remove_all(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  const fs::path folder_ = fs::temp_directory_path() / ("avs-demo-" + std::to_string(getpid()));
};

TEST_F(DemoPrograms, MakeDemoDataWritesBalancedSplitsAndKeepsWhatIsThere) {
  const std::string arguments =
      "--out " + folder_.string() + " --train-clips 1 --validation-clips 1 --test-clips 1 --seconds 0.6";
  EXPECT_THAT(run_program("make_demo_data", arguments).out, HasSubstr("24 clips of 8 scenes, 24 written now"));
  for (const char* split : {"train", "val", "test"})
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / split), fs::directory_iterator()), 8) << split;
  fs::remove(folder_ / "test" / "ferry" / "ferry_01.mp4");
  EXPECT_THAT(run_program("make_demo_data", arguments).out, HasSubstr("24 clips of 8 scenes, 1 written now"));

  const ProgramResult other = run_program("make_demo_data", arguments + " --seed 2");
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("made with other options"));
}

TEST_F(DemoPrograms, WrongUsageEndsWithTwo) {
  EXPECT_EQ(run_program("make_demo_data", "--train-clips 3").exit_code, 2);
  EXPECT_EQ(run_program("make_demo_data", "--out " + folder_.string() + " --train-clips none").exit_code, 2);
  EXPECT_EQ(run_program("demo_report", "").exit_code, 2);
}

TEST_F(DemoPrograms, DemoReportSaysWhatItMisses) {
  const ProgramResult result = run_program("demo_report", "--out " + folder_.string());
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("embeddings.safetensors"));
}

}  // namespace
}  // namespace avs
