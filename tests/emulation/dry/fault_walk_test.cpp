// Every call of the CUDA runtime and of cuBLASLt in a training fails once, in each way that it can. The error names the
// action and its place, no memory leaks, no capture stays open, and the same training then succeeds.
#include <map>
#include <regex>

#include "models/residual_inception.h"
#include "models/training/captured_step.h"
#include "tests/emulation/gpu.h"
#include "tests/emulation/include/cublasLt.h"
#include "tests/emulation/include/cuda_runtime_api.h"
#include "tests/emulation/runtime.h"
#include "tests/models/small_backbones.h"

namespace avs {
namespace {

using emulation::Fault;
Tensor labels(int64_t n) {
  Tensor t = Tensor::zeros({n, 3});
  for (int64_t i = 0; i < n; ++i) t.data<float>()[i * 3 + i % 3] = 1.0f;
  return t;
}

// A network moves to the device and runs one step kernel by kernel, one as a captured graph and one as its replay.
void train_a_little() {
  BackboneOptions options = small_options("vis-conv");
  options.width = 0.02;
  options.classes = 3;
  const auto net = make_backbone(options);
  net->to(kGpu);
  net->compute_in(DType::BF16);
  ParameterArena arena(*net);
  Adam adam(arena, {});
  const Tensor x = random_input(small_input("vis-conv", 2), 1), y = labels(2);
  StepSettings settings;
  train_step(*net, adam, x, y, settings);
  CapturedStep captured(*net, adam);
  for (settings.step = 1; settings.step < 3; ++settings.step) {
    captured.start(x, y, settings);
    captured.finish();
  }
}

// An inception block forward and backward: kernel by kernel and as a captured graph.
void branch_a_little() {
  InceptionBn block(4, 8, {.activation = Activation::Relu});
  block.set_path("block");
  initialize(block, 1);
  block.to(kGpu);
  const Variable x(Tensor::zeros({2, 4, 4, 4}, DType::F32, kGpu), true);
  const Tensor dy = Tensor::zeros({2, 4, 4, 8}, DType::F32, kGpu);
  const auto pass = [&] {
    x.zero_grad();
    for (const Parameter* p : block.parameters()) p->variable.zero_grad();
    block(x).backward(dy);
  };
  pass();
  cuda::capture(kGpu, pass)->replay();
  context(kGpu).synchronize();
}

struct Calls {
  int64_t cuda = 0, cublas = 0;
};
Calls calls_of(void (*work)()) {
  const int64_t cuda = emulation::calls_so_far("cuda"), cublas = emulation::calls_so_far("cublas");
  work();
  return {emulation::calls_so_far("cuda") - cuda, emulation::calls_so_far("cublas") - cublas};
}

class FaultWalk : public testing::Test {
 protected:
  void SetUp() override { work_(); }  // allocates what the process keeps: contexts, handles
  void TearDown() override { emulation::set_fault({}); }

  // Returns the training's error if its call number `at` fails; empty if it continued.
  std::string said(const char* calls, int64_t at, int error, bool sticky) {
    Context& gpu = context(kGpu);
    const size_t live = gpu.memory().live_bytes;
    std::string message;
    emulation::set_fault({calls, static_cast<int>(at), error, sticky});
    try {
      work_();
    } catch (const Error& failure) {
      message = failure.what();
    }
    emulation::set_fault({});
    cudaGetLastError();  // clears the last error, also a sticky one
    EXPECT_EQ(gpu.memory().live_bytes, live) << "memory stayed taken after: " << message;
    gpu.release_cached();
    EXPECT_EQ(gpu.memory().cached_bytes, 0u) << "a pool was left behind after: " << message;
    return message;
  }

  void walk(const char* calls, int64_t count, int error, bool sticky, const std::string& name) {
    for (int64_t at = 0; at < count && !HasFailure(); ++at) {
      const std::string message = said(calls, at, error, sticky);
      const std::string function = emulation::last_fault();
      SCOPED_TRACE(str("call ", at, " of ", count, ", ", function, ": ", message));
      ++failed_[function];
      if (message.empty()) {
        const bool at_the_end = count - at < 10 && function == "cudaStreamSynchronize";  // in the last destructor
        EXPECT_TRUE(at_the_end || may_go_on(function, error)) << "the training did not notice";
        continue;
      }
      EXPECT_THAT(message, testing::HasSubstr(name));
      if (function == "cudaLaunchKernel") expect_place(message);
    }
  }

  // On a full device the arena releases its cache and tries again. Frees in destructors may fail without an error.
  static bool may_go_on(const std::string& function, int error) {
    const bool asked_again = function == "cudaMalloc" && error == cudaErrorMemoryAllocation;
    return asked_again || function.find("Free") != std::string::npos || function.find("Destroy") != std::string::npos;
  }

  // The message names the kernel, and its place in the network or in the step.
  static void expect_place(const std::string& message) {
    static const std::regex kernel("CUDA: \\w+: cuda");
    EXPECT_TRUE(std::regex_search(message, kernel));
    static const std::regex place(
        "in layer '|in the gradient of|in "
        "backbone|adam|loss_scale|mixup|softmax_kl|cast_|fill_|squares|total_|finite|copy");
    EXPECT_TRUE(std::regex_search(message, place));
  }

  Calls calls() const { return calls_of(work_); }

  void (*work_)() = train_a_little;
  std::map<std::string, int> failed_;
};

class FaultWalkOverABlock : public FaultWalk {
 protected:
  FaultWalkOverABlock() { work_ = branch_a_little; }
};

TEST_F(FaultWalkOverABlock, EveryCallFailsInEachWay) {
  const int64_t count = calls().cuda;
  ASSERT_GT(count, 100);
  walk("cuda*", count, cudaErrorMemoryAllocation, false, "cudaErrorMemoryAllocation");
  walk("cuda*", count, cudaErrorIllegalAddress, true, "cudaErrorIllegalAddress");
  walk("cuda*", count, cudaErrorLaunchFailure, false, "cudaErrorLaunchFailure");
  EXPECT_GT(failed_["cudaEventRecord"], 10);
  EXPECT_NO_THROW(branch_a_little());
}

TEST_F(FaultWalk, AFullDevice) {
  walk("cuda*", calls().cuda, cudaErrorMemoryAllocation, false, "cudaErrorMemoryAllocation");
}

TEST_F(FaultWalk, AStickyIllegalAddress) {
  walk("cuda*", calls().cuda, cudaErrorIllegalAddress, true, "cudaErrorIllegalAddress");
}

TEST_F(FaultWalk, AFailedLaunch) {
  walk("cuda*", calls().cuda, cudaErrorLaunchFailure, false, "cudaErrorLaunchFailure");
}

TEST_F(FaultWalk, EveryFunctionOfTheRuntimeThatATrainingCalls) {
  for (const char* function :
       {"cudaLaunchKernel", "cudaMemcpyAsync", "cudaMemsetAsync", "cudaMalloc", "cudaStreamBeginCapture",
        "cudaStreamEndCapture", "cudaGraphInstantiate", "cudaGraphLaunch", "cudaStreamSynchronize"}) {
    const std::string message = said(function, 0, cudaErrorLaunchFailure, false);
    EXPECT_THAT(message, testing::HasSubstr("cudaErrorLaunchFailure")) << function;
    EXPECT_EQ(emulation::last_fault(), function);
  }
}

TEST_F(FaultWalk, AFailureOfCublasLt) {
  const int64_t count = calls().cublas;
  ASSERT_GT(count, 10);
  walk("cublas*", count, CUBLAS_STATUS_ALLOC_FAILED, false, "CUBLAS_STATUS_ALLOC_FAILED");
  walk("cublas*", count, CUBLAS_STATUS_EXECUTION_FAILED, false, "CUBLAS_STATUS_EXECUTION_FAILED");
}

TEST_F(FaultWalk, AfterwardsTheDeviceWorksOn) {
  said("cuda*", calls().cuda / 2, cudaErrorLaunchFailure, false);
  EXPECT_NO_THROW(train_a_little());
}

}  // namespace
}  // namespace avs
