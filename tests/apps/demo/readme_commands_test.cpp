// Checks the commands of every page: programs and flags exist. The demo's programs exit properly.
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

std::vector<fs::path> pages() {
  std::vector<fs::path> found;
  for (const char* folder : {"", "docs", "tensor", "autograd", "layers", "cuda", "audio", "vision", "models", "apps",
                             "apps/data", "bench", "bench/variants", "tests"})
    for (const auto& entry : fs::directory_iterator(kRoot / folder))
      if (entry.path().extension() == ".md") found.push_back(entry);
  return found;
}

// The lines inside ```sh blocks, and of the text what stands in backticks.
std::vector<std::string> commands_in(const fs::path& page) {
  const std::regex quoted("`([^`]+)`");
  std::vector<std::string> kept;
  std::string block;
  for (const std::string& line : lines_of(page)) {
    if (line.starts_with("```"))
      block = block.empty() ? line : "";
    else if (block == "```sh")
      kept.push_back(line);
    else if (block.empty())
      for (auto it = std::sregex_iterator(line.begin(), line.end(), quoted); it != std::sregex_iterator(); ++it)
        kept.push_back((*it)[1]);
  }
  return kept;
}

struct Command {
  std::string program;
  std::vector<std::string> flags;
};

// The commands of a line: "for m in …; do ./run train_backbone --model $m; done" holds one, from `./run` to the next
// separator. Programs of apps/ may be started as build/bin/NAME too.
std::vector<Command> commands_of(const std::string& line) {
  const std::regex command("(\\./run|build/bin/) ?([a-z_]+)([^;&|]*)"), flag("--[a-z][a-z0-9-]*");
  std::vector<Command> found;
  for (auto it = std::sregex_iterator(line.begin(), line.end(), command); it != std::sregex_iterator(); ++it) {
    const std::string rest = (*it)[3], name = (*it)[2];
    if ((*it)[1] == "build/bin/" && !fs::exists(kRoot / "apps" / (name + ".cpp"))) continue;
    found.push_back({name, {}});
    for (auto f = std::sregex_iterator(rest.begin(), rest.end(), flag); f != std::sregex_iterator(); ++f)
      found.back().flags.push_back(f->str());
  }
  return found;
}

// The output of `./run NAME --help`; `run`'s own commands are described by the script.
std::string help_of(const std::string& program) {
  static std::map<std::string, std::string> known;
  if (const auto found = known.find(program); found != known.end()) return found->second;
  std::string text, script;
  for (const std::string& line : lines_of(kRoot / "run")) script += line + "\n";
  if (script.find("\n  " + program + ")") != script.npos) {
    text = script;
  } else if (fs::exists(kRoot / "apps" / (program + ".cpp"))) {
    const ProgramResult result = run_program(program, "--help");
    EXPECT_EQ(result.exit_code, 0) << program << " --help: " << result.err;
    text = result.out;
  } else {
    ADD_FAILURE() << "a page names ./run " << program << ", which does not exist";
  }
  return known[program] = text;
}

TEST(ReadmeCommands, ProgramsAndFlagsExist) {
  std::map<std::string, int64_t> flags;
  for (const fs::path& page : pages())
    for (const std::string& line : commands_in(page))
      for (const Command& command : commands_of(line)) {
        const std::string help = help_of(command.program);
        for (const std::string& flag : command.flags) {
          ++flags[page.filename()];
          EXPECT_TRUE(std::regex_search(help, std::regex(flag + "($|[^a-z0-9-])"))) << page << ": " << line << "\n"
                                                                                    << flag;
        }
      }
  for (const char* page : {"README.md", "gpu.md", "porting.md", "results.md", "tau.md", "weights.md"})
    EXPECT_GT(flags[page], 0) << page << ": the blocks were not found";
  EXPECT_GT(flags["README.md"] + flags["tau.md"], 30);
}

TEST(ReadmeCommands, EveryProgramStandsInTheTable) {
  std::stringstream page;
  page << std::ifstream(kRoot / "apps/README.md").rdbuf();
  for (const auto& entry : fs::directory_iterator(kRoot / "apps")) {
    if (entry.path().extension() != ".cpp") continue;
    EXPECT_THAT(page.str(), HasSubstr("`" + entry.path().stem().string() + "`"));
  }
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
    for (const char* program : {"emulated_ops_tests", "emulation_tests", "tensor_ops_tests"})
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
