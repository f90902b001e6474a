// The flow of tests/gpu_check.sh where there is no GPU: NVIDIA's tools and our programs are scripts that answer as they
// do. (tests/emulation/dry runs it on emulated programs.) And README's table of what it found on real GPUs.
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "tensor/error.h"

namespace avs {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

const std::string kScript = std::string(AVS_SOURCE_DIR) + "/tests/gpu_check.sh";
const std::string kReport = std::string(AVS_BIN_DIR) + "/gpu_report";

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Outcome {
  int code = -1;
  std::string said;
};
Outcome shell(const std::string& command) {
  FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
  Outcome outcome;
  char buffer[4096];
  for (size_t n = 0; (n = fread(buffer, 1, sizeof(buffer), pipe)) > 0;) outcome.said.append(buffer, n);
  const int status = pclose(pipe);
  outcome.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

// Writes what follows `option` on its command line: how our programs are told where figures go.
std::string writes(const std::string& option, const std::string& json) {
  return "while [ $# -gt 0 ]; do case $1 in " + option + ") echo '" + json + "' >\"$2\";; " + option + "=*) echo '" +
         json + "' >\"${1#*=}\";; esac; shift; done; echo fine";
}

class GpuCheck : public testing::Test {
 protected:
  GpuCheck() {
    fs::create_directories(folder_ / "tools");
    fs::create_directories(folder_ / "build/bin");
    fs::create_symlink(kReport, folder_ / "build/bin/gpu_report");
    script("tools/nvidia-smi", "echo 'NVIDIA \"X\" 1, 580.65, 9.0'");
    script("tools/nvcc", "echo 'Cuda compilation tools, release 13.0, V13.0.1'");
    script("tools/compute-sanitizer", "shift 4; \"$@\"");
    script("tools/python3", "exit 1");
    script("build/bin/selftest", "echo '24 groups of ops, 107 cases: 0 wrong'");
    script(
        "build/bin/gpu_agreement",
        writes(
            "--json",
            R"([{"model":"aud-mel","dtype":"bf16","steps":10,"loss_difference":1e-6,"agrees":true,"repeats":true,"graph_is_eager":true}])"));
    plan_memory_with(100, 101);
    const std::string kernels =
        R"({"benchmarks":[{"name":"relu/device:1","real_time":2.5,"time_unit":"us","GB/s":900,"%copy":91}]})";
    script("build/bin/ops_bench", writes("--benchmark_out", kernels));
    script("build/bin/variants_bench", writes("--benchmark_out", kernels));
    script("build/bin/step_bench",
           writes("--benchmark_out",
                  R"({"benchmarks":[{"name":"train/vis-inc/16","real_time":9,"time_unit":"ms","samples/s":1234.5}]})"));
    for (const char* program : {"make_demo_data", "prepare", "train_backbone", "extract_embeddings", "train_fusion"})
      script(std::string("build/bin/") + program, "echo $*");
    script("build/bin/demo_report", "echo f4");
  }
  ~GpuCheck() override { fs::remove_all(folder_); }

  void script(const std::string& name, const std::string& body) {
    std::ofstream(folder_ / name) << "#!/bin/bash\n" << body << '\n';
    fs::permissions(folder_ / name, fs::perms::owner_all);
  }
  void plan_memory_with(int planned, int measured) {
    script("build/bin/memory_plan",
           "[ \"$1\" = --version ] && { echo 'avscene 0.1'; exit; }; " +
               writes("--json", str(R"([{"model":"aud-mel","batch":8,"peak":)", planned,
                                    R"(,"inference":50,"measured_step":)", measured, R"(,"measured_inference":50}])")));
  }
  Outcome check(const std::string& flags = {}) {
    return shell("PATH=" + (folder_ / "tools").string() + ":$PATH " + kScript + " --build " +
                 (folder_ / "build").string() + " --out " + (folder_ / "gpu-x").string() + " " + flags);
  }
  nlohmann::json report() const { return nlohmann::json::parse(text_of(folder_ / "gpu-x.json")); }
  std::string state_of(const std::string& name) const {
    const nlohmann::json all = report();
    for (const auto& step : all.at("steps"))
      if (step.at("step") == name) return step.at("state");
    return "not there";
  }

  const fs::path folder_ = fs::temp_directory_path() / ("avs-gpu-check-" + std::to_string(getpid()));
};

TEST_F(GpuCheck, MakesEveryStepAndWritesBothReports) {
  const Outcome done = check();
  EXPECT_EQ(done.code, 0) << done.said;
  for (const char* step : {"selftest", "own", "agreement", "memcheck", "racecheck", "synccheck", "memory", "kernels",
                           "variants", "training", "demo"})
    EXPECT_EQ(state_of(step), "passed") << step;
  EXPECT_EQ(state_of("peers"), "skipped");
  EXPECT_EQ(report().at("device"), "NVIDIA \"X\" 1");
  EXPECT_EQ(report().at("driver"), "580.65");
  EXPECT_EQ(report().at("cuda"), "13.0");
  EXPECT_EQ(report().at("kernels").at(0).at("%copy"), 91);
  EXPECT_EQ(report().at("kernels_without_libraries").size(), 1u);
  const std::string page = text_of(folder_ / "gpu-x.md");
  EXPECT_THAT(page, HasSubstr("| selftest | passed |"));
  EXPECT_THAT(page, HasSubstr("| train/vis-inc/16 | 9 | ms | 1234 |"));
  EXPECT_THAT(page, HasSubstr("| aud-mel | bf16 | 10 | 1e-06 | yes | yes | yes |"));
  const std::string table = shell(kReport + " table " + folder_.string()).said;
  EXPECT_THAT(
      table,
      HasSubstr("| [NVIDIA \"X\" 1](bench/results/gpu-x.md) | 580.65, 13.0 | 11 of 11 | not yet measured | 1234 |"));
}

TEST_F(GpuCheck, FailsWhenAnOpIsWrongAndGoesOn) {
  script("build/bin/selftest", "echo 'selftest: an op computes something else'; exit 1");
  const Outcome done = check("--only 'selftest agreement'");
  EXPECT_EQ(done.code, 1);
  EXPECT_THAT(done.said, HasSubstr("1 failed"));
  EXPECT_THAT(done.said, HasSubstr("an op computes something else"));
  EXPECT_EQ(state_of("selftest"), "failed");
  EXPECT_EQ(state_of("agreement"), "passed");
  EXPECT_EQ(state_of("demo"), "not there");
}

TEST_F(GpuCheck, FailsWhenAStepTakesMoreThanItsPlan) {
  plan_memory_with(100, 106);
  const Outcome done = check("--only memory");
  EXPECT_EQ(done.code, 1);
  EXPECT_THAT(done.said, HasSubstr("measured_step is 106, planned were 100"));
}

TEST_F(GpuCheck, KeepsToItsTimeAndSurvivesAKilledStep) {
  EXPECT_EQ(check("--seconds 0.1").code, 2);
  EXPECT_EQ(check("--seconds 0 --only selftest").code, 0);
  EXPECT_EQ(state_of("selftest"), "skipped");
  script("build/bin/selftest", "exec sleep 60");  // of 90 s that it may take: cut off is not failed
  EXPECT_EQ(check("--seconds 6 --only selftest").code, 0);
  EXPECT_EQ(state_of("selftest"), "skipped");
  script("build/bin/gpu_agreement", "kill -9 $$");
  EXPECT_EQ(check("--only agreement").code, 1);
  EXPECT_EQ(state_of("agreement"), "failed");
}

TEST_F(GpuCheck, SaysWhatItLacks) {
  EXPECT_EQ(shell(kScript + " --fast").code, 2);
  EXPECT_EQ(shell(kScript + " --help").code, 0);
  EXPECT_EQ(check("--only nothing").code, 2);
  script("tools/nvidia-smi", "exit 9");
  EXPECT_THAT(check().said, HasSubstr("nvidia-smi knows no GPU 0"));
  fs::remove(folder_ / "build/bin/gpu_agreement");
  script("tools/nvidia-smi", "echo 'X, 1, 9.0'");
  EXPECT_THAT(check().said, HasSubstr("gpu_agreement is not built"));
}

TEST_F(GpuCheck, AnEmulationNeverComesIntoTheTable) {
  std::ofstream(folder_ / "gpu-y.json") << R"({"device":"host emulation","emulated":true,"steps":[]})";
  EXPECT_THAT(shell(kReport + " table " + folder_.string()).said, HasSubstr("| none | | not yet measured |"));
}

TEST(GpuTable, OfReadmeIsWhatTheCommandPrints) {
  const std::string readme = text_of(std::string(AVS_SOURCE_DIR) + "/README.md");
  const std::string table = shell(kReport + " table " + AVS_SOURCE_DIR + "/bench/results").said;
  EXPECT_THAT(table, HasSubstr("| GPU |"));
  EXPECT_THAT(readme, HasSubstr(table)) << "./run gpu_table prints the present one";
}

}  // namespace
}  // namespace avs
