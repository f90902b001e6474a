// The flow of tests/first_contact.sh without a GPU: scripts replace NVIDIA's tools and our programs and print what
// these would. (tests/emulation/dry runs it on emulated programs.) It also tests docs/gpu.md's table of results on
// real GPUs.
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

const std::string kScript = std::string(AVS_SOURCE_DIR) + "/tests/first_contact.sh";
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

// Writes `json` to the file after `option` on the command line: the option by which our programs get their output file.
std::string writes(const std::string& option, const std::string& json) {
  return "while [ $# -gt 0 ]; do case $1 in " + option + ") echo '" + json + "' >\"$2\";; " + option + "=*) echo '" +
         json + "' >\"${1#*=}\";; esac; shift; done; echo fine";
}

class FirstContact : public testing::Test {
 protected:
  FirstContact() {
    fs::create_directories(folder_ / "tools");
    fs::create_directories(folder_ / "build/bin");
    fs::create_symlink(kReport, folder_ / "build/bin/gpu_report");
    script("tools/nvidia-smi", "echo 'NVIDIA H100 \"X\" 1, 580.65, 9.0'");
    script("tools/compute-sanitizer", "shift 4; \"$@\"");
    script("tools/python3", "exit 1");
    script("tools/ldd", "echo");
    say_of_libraries("cuBLASLt 13.1.0, cuDNN 9.19.0");
    script(
        "build/bin/gpu_agreement",
        writes(
            "--json",
            R"([{"model":"aud-mel","dtype":"bf16","steps":3,"loss_difference":1e-6,"agrees":true,"repeats":true,"graph_is_eager":true}])"));
    script(
        "build/bin/gpu_plans",
        writes(
            "--json",
            R"([{"model":"aud-mel","dtype":"bf16","graphs":9,"by_cudnn":8,"largest_difference":2e-3,"worst":"w"}])"));
    plan_memory_with(100, 101);
    const std::string kernels =
        R"({"benchmarks":[{"name":"relu/device:1","real_time":2.5,"time_unit":"us","GB/s":900,"%copy":91}]})";
    script("build/bin/ops_bench", writes("--benchmark_out", kernels));
    script("build/bin/variants_bench", writes("--benchmark_out", kernels));
    script("build/bin/step_bench",
           "for a in \"$@\"; do case $a in *filter=*) n=${a#*=^}; n=${n%?};; esac; done; "
           "echo '{\"benchmarks\":[{\"name\":\"'$n'\",\"real_time\":9,\"time_unit\":\"ms\",\"samples/s\":4000}]}'");
  }
  ~FirstContact() override { fs::remove_all(folder_); }

  void script(const std::string& name, const std::string& body) {
    std::ofstream(folder_ / name) << "#!/bin/bash\n" << body << '\n';
    fs::permissions(folder_ / name, fs::perms::owner_all);
  }
  void say_of_libraries(const std::string& libraries) {
    script("build/bin/selftest",
           "echo 'device: cuda:0 (X), " + libraries + "' >&2; echo '23 groups of ops, 107 cases: 0 wrong'");
  }
  void plan_memory_with(int planned, int measured) {
    script("build/bin/memory_plan",
           "[ \"$1\" = --version ] && { echo 'avscene 0.1'; exit; }; " +
               writes("--json", str(R"([{"model":"aud-mel","batch":8,"peak":)", planned,
                                    R"(,"inference":50,"measured_step":)", measured, R"(,"measured_inference":50}])")));
  }
  // Replaces PyTorch for the script's questions: no wheels, a GPU, and the speed of a step.
  void install_pytorch() {
    script(
        "tools/python3",
        "case $1 in -) exit 0;; -c) exit 0;; esac; "
        "echo "
        "'{\"name\":\"train/vis-inc/128\",\"how\":\"graph\",\"seconds\":0.016,\"samples/s\":8000,\"torch\":\"2.11\"}'");
  }
  Outcome check(const std::string& flags = {}) {
    return shell("PATH=" + (folder_ / "tools").string() + ":$PATH " + kScript + " --build " +
                 (folder_ / "build").string() + " --out " + (folder_ / "out").string() + " " + flags);
  }
  std::string report_file(const std::string& ending) const {
    return (folder_ / "out/gpu-nvidia-h100--x--1").string() + ending;
  }
  nlohmann::json report() const { return nlohmann::json::parse(text_of(report_file(".json"))); }
  std::string state_of(const std::string& name) const {
    const nlohmann::json all = report();
    for (const auto& step : all.at("steps"))
      if (step.at("step") == name) return step.at("state");
    return "not there";
  }

  const fs::path folder_ = fs::temp_directory_path() / ("avs-first-contact-" + std::to_string(getpid()));
};

TEST_F(FirstContact, GoesThroughEveryPhaseAndWritesBothReports) {
  const Outcome done = check();
  EXPECT_EQ(done.code, 0) << done.said;
  for (const char* phase : {"facts", "ops", "ops/own-kernels", "agreement", "plans", "steps/vis-inc-128",
                            "steps/aud-mel-16", "steps/vis-conv-f16", "kernels", "memcheck", "racecheck"})
    EXPECT_EQ(state_of(phase), "passed") << phase;
  EXPECT_EQ(state_of("peers"), "skipped");
  EXPECT_EQ(report().at("device"), "NVIDIA H100 \"X\" 1");
  EXPECT_EQ(report().at("driver"), "580.65");
  EXPECT_EQ(report().at("kernels").at(0).at("%copy"), 91);
  const std::string page = text_of(report_file(".md"));
  EXPECT_THAT(page, HasSubstr("| ops | passed |"));
  EXPECT_THAT(page, HasSubstr("| train/vis-inc/128 | bf16 | 9 | ms | 4000 | 8000 | 0.5 |"));
  EXPECT_THAT(page, HasSubstr("| aud-mel | bf16 | 3 | 1e-06 | yes | yes | yes |"));
  EXPECT_THAT(page, HasSubstr("| aud-mel | bf16 | 9 | 8 | 0.002 | w |"));
  const std::string table = shell(kReport + " table " + (folder_ / "out").string()).said;
  EXPECT_THAT(table, HasSubstr("(../bench/results/gpu-nvidia-h100--x--1.md) | 580.65, ? |"));
  EXPECT_THAT(table, HasSubstr(" | 4000 | 4000 | 4000 |"));
}

TEST_F(FirstContact, EndsWithASummaryThatFitsATerminalsEnd) {
  const Outcome done = check();
  const std::string summary = text_of(folder_ / "out/summary.txt");
  EXPECT_THAT(done.said, testing::EndsWith(summary));
  EXPECT_LE(summary.size(), 12000u);
  EXPECT_THAT(summary, HasSubstr("train/vis-inc/128    bf16                     4000       8000      0.5"));
  EXPECT_THAT(summary, HasSubstr("relu/device:1"));
}

TEST_F(FirstContact, PutsPyTorchsFastestWayBesideOurSteps) {
  install_pytorch();
  const Outcome done = check("--only 'facts steps peers'");
  EXPECT_EQ(done.code, 0) << done.said;
  EXPECT_THAT(text_of(report_file(".md")),
              HasSubstr("| train/vis-inc/128 | bf16 | 9 | ms | 4000 | 8000 | 0.5 | 0.5 |"));
}

TEST_F(FirstContact, StopsAtOnceWhereNvidiasLibrariesAreNotFound) {
  say_of_libraries("cuBLASLt 13.1.0, libcudnn.so.9 is not there: our own kernels convolve");
  const Outcome done = check();
  EXPECT_EQ(done.code, 1);
  EXPECT_EQ(state_of("facts"), "failed");
  EXPECT_EQ(state_of("ops"), "not there");
  EXPECT_THAT(done.said, HasSubstr("--own-kernels goes on without NVIDIA's libraries"));
  EXPECT_EQ(check("--own-kernels --only 'facts ops'").code, 0);
  script("tools/ldd", "echo '  libdnnl.so.3 => not found'");
  EXPECT_THAT(check("--only facts").said, HasSubstr("libraries that are not here: libdnnl.so.3 => not found"));
}

TEST_F(FirstContact, MakesTheSecondVisitWhenAskedForMore) {
  install_pytorch();
  script("tools/ncu", "echo a,b");
  const Outcome done = check("--more --only 'facts compile profile memory synccheck variants demo'");
  for (const char* phase : {"compile", "profile/vis-inc", "memory", "synccheck", "variants"})
    EXPECT_EQ(state_of(phase), "passed") << phase << done.said;
}

TEST_F(FirstContact, FailsWhenAnOpIsWrongAndGoesOn) {
  script("build/bin/selftest",
         "echo 'device: cuda:0' >&2; case \"$*\" in *Relu*) exit 0;; esac; echo 'selftest: an op computes something "
         "else'; exit 1");
  const Outcome done = check("--only 'facts ops agreement'");
  EXPECT_EQ(done.code, 1);
  EXPECT_THAT(done.said, HasSubstr("2 failed"));
  EXPECT_THAT(done.said, HasSubstr("an op computes something else"));
  EXPECT_EQ(state_of("ops"), "failed");
  EXPECT_EQ(state_of("agreement"), "passed");
  EXPECT_EQ(state_of("kernels"), "not there");
}

TEST_F(FirstContact, FailsWhenAStepTakesMoreThanItsPlan) {
  plan_memory_with(100, 106);
  const Outcome done = check("--more --only 'facts memory'");
  EXPECT_EQ(done.code, 1);
  EXPECT_THAT(done.said, HasSubstr("measured_step is 106, planned were 100"));
}

TEST_F(FirstContact, KeepsToItsTimeAndSurvivesAKilledPhase) {
  EXPECT_EQ(check("--seconds 0.1").code, 2);
  script("build/bin/gpu_agreement", "exec sleep 60");  // longer than its 60 s: an interrupted phase is not a failed one
  EXPECT_EQ(check("--seconds 6 --only 'facts agreement ops'").code, 0);
  EXPECT_EQ(state_of("agreement"), "skipped");
  EXPECT_EQ(state_of("ops"), "passed");
  script("build/bin/gpu_agreement", "kill -9 $$");
  EXPECT_EQ(check("--only 'facts agreement'").code, 1);
  EXPECT_EQ(state_of("agreement"), "failed");
}

TEST_F(FirstContact, KeepsWhatWasFoundWhenItIsKilledItself) {
  script("build/bin/ops_bench", "kill -9 $AVS_TEST_SHELL");  // a batch system may do this during a phase
  shell("PATH=" + (folder_ / "tools").string() + ":$PATH bash -c 'export AVS_TEST_SHELL=$$; exec " + kScript +
        " --build " + (folder_ / "build").string() + " --out " + (folder_ / "out").string() + "'");
  EXPECT_EQ(state_of("steps/aud-mel-16"), "passed");
  EXPECT_EQ(state_of("kernels"), "not there");
}

TEST_F(FirstContact, SaysWhatItLacks) {
  EXPECT_EQ(shell(kScript + " --fast").code, 2);
  EXPECT_EQ(shell(kScript + " --help").code, 0);
  EXPECT_EQ(check("--only nothing").code, 2);
  script("tools/nvidia-smi", "exit 9");
  EXPECT_THAT(check().said, HasSubstr("nvidia-smi knows no GPU 0"));
  fs::remove(folder_ / "build/bin/gpu_agreement");
  script("tools/nvidia-smi", "echo 'X, 1, 9.0'");
  EXPECT_THAT(check().said, HasSubstr("gpu_agreement is not built"));
}

TEST_F(FirstContact, AnEmulationNeverComesIntoTheTable) {
  std::ofstream(folder_ / "gpu-y.json") << R"({"device":"host emulation","emulated":true,"steps":[]})";
  EXPECT_THAT(shell(kReport + " table " + folder_.string()).said, HasSubstr("| none | | not yet measured |"));
}

TEST(GpuTable, OfThePageIsWhatTheCommandPrints) {
  const std::string page = text_of(std::string(AVS_SOURCE_DIR) + "/docs/gpu.md");
  const std::string table = shell(kReport + " table " + AVS_SOURCE_DIR + "/bench/results").said;
  EXPECT_THAT(table, HasSubstr("| GPU |"));
  EXPECT_THAT(page, HasSubstr(table)) << "./run gpu_table prints the present one";
}

}  // namespace
}  // namespace avs
