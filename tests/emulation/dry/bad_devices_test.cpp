// Machines that cannot run the request: one line says what is wrong and what to do, and the exit code is 1 or 2.
#include <gmock/gmock.h>

#include "tensor/error.h"
#include "tests/apps/run_program.h"

namespace avs {
namespace {

using testing::HasSubstr;

ProgramResult run_on(const std::string& machine, const std::string& flags) {
  return run_program("emulated_memory_plan",
                     "--model vis-conv --width 0.02 --image-size 75 --batch 1 --threads 1 " + flags, machine);
}

void expect_line(const ProgramResult& result, int code, const std::string& text) {
  EXPECT_EQ(result.exit_code, code) << result.err;
  EXPECT_THAT(result.err, HasSubstr(text));
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << "more than one line:\n" << result.err;
}

TEST(BadDevices, NoDriver) {
  expect_line(run_on("AVS_EMULATION_DEVICE=no-driver", "--device cuda"), 1,
              "--device cuda: no NVIDIA driver is installed; --device cpu works");
}
TEST(BadDevices, TooOldADriver) {
  expect_line(run_on("AVS_EMULATION_DEVICE=old-driver", "--device cuda"), 1,
              "the NVIDIA driver supports CUDA 12.4, this build needs 13.0; a newer driver is needed");
}
TEST(BadDevices, NoDevice) {
  expect_line(run_on("AVS_EMULATION_DEVICE=no-device", "--device cuda"), 1,
              "--device cuda: no NVIDIA GPU was found; --device cpu works");
}
TEST(BadDevices, AnArchitectureThatWasNotCompiledFor) {
  expect_line(run_on("AVS_EMULATION_DEVICE=no-code", "--device cuda"), 1,
              "this build has no kernels for this GPU: build with -DAVS_CUDA_ARCHITECTURES");
}
TEST(BadDevices, AFullGpu) {
  expect_line(run_on("AVS_EMULATION_MEMORY=1000", "--device cuda"), 1,
              "the device has 1000 of 1000 left (nvidia-smi shows who else uses it)");
}
TEST(BadDevices, AGpuTooFullToBeginOn) {
  for (const char* call : {"cudaSetDevice", "cudaStreamCreateWithFlags"})
    expect_line(run_on(str("AVS_EMULATION_FAULT=", call, ",0,2"), "--device cuda"), 1,
                "other programs may use this GPU (nvidia-smi shows which)");
}
TEST(BadDevices, AutoTakesTheCpuWhereTheGpuIsOfNoUse) {
  expect_line(run_on("AVS_EMULATION_MEMORY=1000", "--device auto"), 0, "device: cpu, 1 threads (cuda:0: ");
  expect_line(run_on("AVS_EMULATION_DEVICE=no-code", "--device auto"), 0, "this build has no kernels for this GPU");
}
TEST(BadDevices, NvidiasLibrariesThatAreMissingAreSaidToBe) {
  expect_line(run_on("", "--device cuda"), 0, "cuBLASLt 13.0.0, no cuDNN stands in here: our own kernels convolve");
  expect_line(run_on("AVS_CUBLAS=0 AVS_CUDNN=0", "--device cuda"), 0,
              "AVS_CUBLAS=0: our own kernels multiply, AVS_CUDNN=0: our own kernels convolve");
}
TEST(BadDevices, ADeviceThatIsNotThere) {
  expect_line(run_on("", "--device cuda:9"), 1, "cuda:9: this machine has 1 GPU, cuda:0");
  expect_line(run_on("", "--device gpu"), 2, "'gpu' is no device: auto, cpu, cuda or cuda:N");
}
TEST(BadDevices, Bf16OnTuring) {
  expect_line(run_on("AVS_EMULATION_DEVICE=sm_75", "--device cuda --dtype bf16"), 2,
              "compute capability 7.5, bf16 needs 8.0");
  EXPECT_EQ(run_on("AVS_EMULATION_DEVICE=sm_87", "--device cuda --dtype bf16").exit_code, 0);
}
TEST(BadDevices, AutoWithoutAGpuSaysThatItUsesTheCpuAndWhy) {
  const ProgramResult result = run_on("AVS_EMULATION_DEVICE=no-driver", "--device auto");
  expect_line(result, 0, "device: cpu, 1 threads (no NVIDIA driver is installed)");
}

}  // namespace
}  // namespace avs
