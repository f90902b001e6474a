// apps/demo/demo.sh with stub programs that log their calls: order, skipping, failing, continuing. The real programs
// have their own tests, and the whole demo takes minutes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace avs {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class DemoScript : public testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_ / "bin");
    for (const char* program : {"make_demo_data", "prepare", "train_backbone", "extract_embeddings", "train_fusion"})
      write_program(program, "");
    write_program("demo_report", "case \"$*\" in *--best-method*) echo f5 ;; esac");
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Writes a shell script that logs its name and arguments, then runs `more`.
  void write_program(const std::string& name, const std::string& more) const {
    const fs::path file = folder_ / "bin" / name;
    std::ofstream(file) << "#!/bin/sh\necho \"" << name << " $*\" >>" << (folder_ / "calls").string() << "\n"
                        << more << "\n";
    fs::permissions(file, fs::perms::owner_all);
  }

  int run(const std::string& arguments = "") const {
    fs::remove(folder_ / "calls");
    const std::string command = std::string(AVS_SOURCE_DIR) + "/apps/demo/demo.sh " + folder_.string() + " --out " +
                                (folder_ / "out").string() + " " + arguments + " >" + (folder_ / "said").string() +
                                " 2>&1";
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string text_of(const char* name) const {
    std::stringstream text;
    text << std::ifstream(folder_ / name).rdbuf();
    return text.str();
  }
  // The programs called, in order; a repeated one once.
  std::vector<std::string> called() const {
    std::vector<std::string> names;
    std::ifstream in(folder_ / "calls");
    for (std::string line; std::getline(in, line);) {
      const std::string name = line.substr(0, line.find(' '));
      if (names.empty() || names.back() != name) names.push_back(name);
    }
    return names;
  }

  const fs::path folder_ = fs::temp_directory_path() / ("avs-demo-script-" + std::to_string(getpid()));
};

TEST_F(DemoScript, RunsEveryStageInOrderAndFusesWithTheBestMethod) {
  ASSERT_EQ(run(), 0) << text_of("said");
  EXPECT_THAT(called(), ElementsAre("make_demo_data", "prepare", "train_backbone", "extract_embeddings", "train_fusion",
                                    "demo_report", "train_fusion", "demo_report"));
  const std::string calls = text_of("calls");
  for (const char* model : {"aud-mel", "aud-gam", "aud-cqt", "vis-inc", "vis-conv"})
    EXPECT_THAT(calls, HasSubstr(std::string("train_backbone --model ") + model));
  for (const char* method : {"f1", "f2", "f3", "f4", "f5", "f6"})
    EXPECT_THAT(calls,
                HasSubstr(std::string("--method ") + method + " --use aud-mel,aud-gam,aud-cqt,vis-inc,vis-conv"));
  EXPECT_THAT(calls, HasSubstr("--method f5 --use aud-mel,aud-gam,aud-cqt --out"));
  EXPECT_THAT(calls, HasSubstr("--method f5 --use vis-inc,vis-conv --out"));
}

TEST_F(DemoScript, SkipsWhatIsDone) {
  ASSERT_EQ(run(), 0);
  ASSERT_EQ(run(), 0);
  EXPECT_THAT(called(), ElementsAre("demo_report"));
  EXPECT_THAT(text_of("said"), HasSubstr("vis-conv: done before"));
}

TEST_F(DemoScript, ContinuesAtTheStageThatFailed) {
  write_program("extract_embeddings", "exit 1");
  EXPECT_EQ(run(), 1);
  EXPECT_THAT(text_of("said"), HasSubstr("stage 'embeddings' failed (exit 1)"));
  write_program("extract_embeddings", "");
  EXPECT_EQ(run(), 0);
  EXPECT_THAT(called(),
              ElementsAre("extract_embeddings", "train_fusion", "demo_report", "train_fusion", "demo_report"));
}

TEST_F(DemoScript, ANetworkThatWasTrainedAfterItsEmbeddingsRepeatsThemEvenIfTheDemoWasKilledBetween) {
  ASSERT_EQ(run(), 0);
  const fs::path mark = folder_ / "out/stages/vis-inc";
  fs::last_write_time(mark, fs::file_time_type::clock::now() + std::chrono::seconds(1));
  ASSERT_EQ(run(), 0);
  EXPECT_THAT(called(),
              ElementsAre("extract_embeddings", "train_fusion", "demo_report", "train_fusion", "demo_report"));
}

TEST_F(DemoScript, OwnVideosTakeThePlaceOfTheDemosAndMakeItBeginAgain) {
  ASSERT_EQ(run(), 0);
  fs::create_directories(folder_ / "out/runs/aud-mel");  // files that training would leave
  const fs::path videos = folder_ / "my videos";
  fs::create_directories(videos);
  ASSERT_EQ(run("--data '" + videos.string() + "'"), 0) << text_of("said");
  EXPECT_EQ(called().front(), "prepare");
  EXPECT_THAT(text_of("calls"), HasSubstr("prepare --data " + videos.string()));
  EXPECT_THAT(text_of("calls"), Not(HasSubstr("make_demo_data")));
  EXPECT_THAT(text_of("calls"), HasSubstr("train_backbone"));
  EXPECT_FALSE(fs::exists(folder_ / "out/runs/aud-mel"));
}

TEST_F(DemoScript, WrongUsageEndsWithTwo) {
  EXPECT_EQ(run("--bogus"), 2);
  EXPECT_EQ(run("--data"), 2);
  EXPECT_EQ(run("--data /does/not/exist"), 2);
  EXPECT_FALSE(fs::exists(folder_ / "calls"));
}

}  // namespace
}  // namespace avs
