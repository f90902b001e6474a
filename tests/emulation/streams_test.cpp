// Work on several streams: unordered accesses are races, whatever order they ran in, and copies between the device and
// pinned memory take time.
#include <cstring>

#include "cuda/api.h"
#include "cuda/runtime.h"
#include "cuda/staging.h"
#include "tests/emulation/gpu.h"
#include "tests/emulation/machine.h"
#include "tests/emulation/runtime.h"
#include "tests/op_case.h"

namespace avs {
namespace {

constexpr int64_t kCount = 5000;

class Streams : public testing::Test {
 protected:
  Streams() { cudaStreamCreateWithFlags(&copies_, cudaStreamNonBlocking); }
  ~Streams() override {
    cudaStreamSynchronize(copies_);
    cudaStreamDestroy(copies_);
  }
  cudaStream_t compute() const { return cuda::stream(kGpu); }
  void send(Tensor& to) const {
    cudaMemcpyAsync(to.raw(), pinned_.data(), to.bytes(), cudaMemcpyHostToDevice, copies_);
  }
  cudaStream_t copies_ = nullptr;
  cuda::PinnedMemory pinned_{kCount * sizeof(float)};
};

// Two alternating buffers as in cuda/transfer.cpp, optionally without one of the two waits.
enum class Missing { Nothing, WaitForTheBatch, WaitForTheReader };

void two_uploads(Tensor& there, cudaStream_t copies, cudaStream_t compute, const cuda::PinnedMemory& pinned,
                 Missing missing) {
  cuda::Event arrived, read;
  read.record(compute);
  Tensor x = Tensor::zeros({kCount}, DType::F32, kGpu);
  for (int batch = 0; batch < 2; ++batch) {
    if (missing != Missing::WaitForTheReader || batch == 0) read.hold_back(copies);
    cudaMemcpyAsync(there.raw(), pinned.data(), there.bytes(), cudaMemcpyHostToDevice, copies);
    arrived.record(copies);
    if (missing != Missing::WaitForTheBatch) arrived.hold_back(compute);
    x.copy_from(there);
    read.record(compute);
    arrived.wait();
  }
}

TEST_F(Streams, WhatEventsOrderIsNoRace) {
  Tensor there = Tensor::zeros({kCount}, DType::F32, kGpu);
  two_uploads(there, copies_, compute(), pinned_, Missing::Nothing);
}

TEST_F(Streams, AMissingWaitForTheBatchIsFound) {
  Tensor there = Tensor::zeros({kCount}, DType::F32, kGpu);
  const std::string found =
      error_of<emulation::Finding>([&] { two_uploads(there, copies_, compute(), pinned_, Missing::WaitForTheBatch); });
  EXPECT_THAT(found, testing::HasSubstr("a race: a copy on stream"));
  EXPECT_THAT(found, testing::HasSubstr("no event orders the two"));
}

TEST_F(Streams, AMissingWaitForTheReaderIsFound) {
  Tensor there = Tensor::zeros({kCount}, DType::F32, kGpu);
  EXPECT_THAT(
      error_of<emulation::Finding>([&] { two_uploads(there, copies_, compute(), pinned_, Missing::WaitForTheReader); }),
      testing::HasSubstr("read the same place and no event orders the two"));
}

TEST_F(Streams, AKernelThatDoesNotWaitForACopyIsFound) {
  Tensor x = Tensor::zeros({kCount}, DType::F32, kGpu);
  context(kGpu).synchronize();
  send(x);
  EXPECT_THAT(error_of<emulation::Finding>([&] { x.fill(1.0f); }),
              testing::AllOf(testing::HasSubstr("kernel fill"), testing::HasSubstr("a copy on stream")));
}

// Freed memory may be allocated again at once, for work on the same stream.
TEST_F(Streams, MemoryThatAnotherStreamStillUsesIsFoundWhenItIsTakenAgain) {
  {
    Tensor x = Tensor::zeros({kCount}, DType::F32, kGpu);
    context(kGpu).synchronize();
    send(x);
  }
  std::vector<Tensor> taken;  // until the arena returns the same memory
  EXPECT_THAT(error_of<emulation::Finding>([&] {
                for (int i = 0; i < 500; ++i) taken.push_back(Tensor::full({kCount}, 1.0f, kGpu));
              }),
              testing::HasSubstr("no event orders the two"));
}

TEST_F(Streams, PinnedMemoryThatChangesUnderACopyIsFound) {
  Tensor x = Tensor::zeros({kCount}, DType::F32, kGpu);
  context(kGpu).synchronize();
  std::memset(pinned_.data(), 1, x.bytes());
  send(x);
  std::memset(pinned_.data(), 2, x.bytes());
  EXPECT_THAT(error_of<emulation::Finding>([&] { cudaStreamSynchronize(copies_); }),
              testing::HasSubstr("pinned host memory was changed"));
}

TEST_F(Streams, AResultIsThereOnlyAfterTheHostHasWaited) {
  const Tensor x = Tensor::full({4}, 3.0f, kGpu);
  const auto* const at = reinterpret_cast<const float*>(pinned_.data());
  cudaMemcpyAsync(pinned_.data(), x.raw(), x.bytes(), cudaMemcpyDeviceToHost, compute());
  EXPECT_TRUE(std::isnan(at[0]));
  cudaStreamSynchronize(compute());
  EXPECT_EQ(at[0], 3.0f);
}

TEST_F(Streams, UploadsOfManyBatchesArriveWholeAndInOrder) {
  const auto upload = cuda::upload(kGpu, kCount * sizeof(float));
  Tensor x = Tensor::zeros({kCount}, DType::F32, kGpu), sum = Tensor::zeros({kCount}, DType::F32, kGpu);
  Tensor host = Tensor::zeros({kCount});
  for (int batch = 1; batch <= 7; ++batch) {
    host.fill(static_cast<float>(batch));
    upload->send(host, x);
    EXPECT_EQ(x.to_vector(), std::vector<float>(kCount, static_cast<float>(batch)));
  }
  emulation::watch_host();
  for (int batch = 8; batch <= 12; ++batch) {
    host.fill(static_cast<float>(batch));
    upload->send(host, x);
    sum.copy_from(x);
  }
  for (const emulation::HostWait& wait : emulation::host_waits()) EXPECT_EQ(wait.function, "cudaEventSynchronize");
  EXPECT_EQ(sum.to_vector(), std::vector<float>(kCount, 12.0f));
}

TEST_F(Streams, ReadBacksComeInTheOrderInWhichTheyWereStarted) {
  const auto results = cuda::read_back(kGpu, 4, 2);
  Tensor x = Tensor::full({1}, 1.0f, kGpu);
  const auto next = [&] {
    float value = 0;
    std::memcpy(&value, results->oldest().data(), sizeof(value));
    return value;
  };
  results->start(x);
  for (float value = 2; value < 6; ++value) {
    x.fill(value);
    results->start(x);
    EXPECT_EQ(next(), value - 1);
  }
  EXPECT_EQ(next(), 5);
  EXPECT_THAT(error_of<UsageError>([&] { results->oldest(); }), testing::HasSubstr("no read-back is under way"));
}

// ---- captures over several streams ----

class Forks : public Streams {
 protected:
  // Doubles x on one stream and copies it on the other; `joins`: the first waits for the second at the end.
  std::string capture(bool joins) {
    cuda::Event fork, join;
    cudaStreamBeginCapture(compute(), cudaStreamCaptureModeThreadLocal);
    fork.record(compute());
    fork.hold_back(copies_);
    cudaMemcpyAsync(y_.raw(), x_.raw(), x_.bytes(), cudaMemcpyDeviceToDevice, copies_);
    cudaMemcpyAsync(z_.raw(), x_.raw(), x_.bytes(), cudaMemcpyDeviceToDevice, compute());
    join.record(copies_);
    if (joins) join.hold_back(compute());
    cudaGraph_t graph = nullptr;
    const cudaError_t result = cudaStreamEndCapture(compute(), &graph);
    cudaGetLastError();
    if (result == cudaSuccess) cudaGraphInstantiate(&executable_, graph, 0);
    cudaGraphDestroy(graph);
    return cudaGetErrorName(result);
  }
  Tensor x_ = Tensor::full({kCount}, 1.0f, kGpu), y_ = Tensor::zeros({kCount}, DType::F32, kGpu), z_ = y_.clone();
  cudaGraphExec_t executable_ = nullptr;
};

TEST_F(Forks, AreOneGraphWhenTheyAreJoined) {
  EXPECT_EQ(capture(true), "cudaSuccess");
  x_.fill(4.0f);
  cudaGraphLaunch(executable_, compute());
  EXPECT_EQ(y_.to_vector(), std::vector<float>(kCount, 4.0f));
  EXPECT_EQ(z_.to_vector(), y_.to_vector());
  y_.fill(0.0f);  // after the whole graph: no race
  cudaGraphExecDestroy(executable_);
}

TEST_F(Forks, ThatAreNotJoinedAreRefused) { EXPECT_EQ(capture(false), "cudaErrorStreamCaptureUnjoined"); }

}  // namespace
}  // namespace avs
