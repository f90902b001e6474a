// Host threads that share a device, as prepare's workers do.
#include <thread>

#include "tests/emulation/gpu.h"
#include "tests/emulation/runtime.h"
#include "tests/op_case.h"

namespace avs {
namespace {

// CUDA's current device is each thread's own: on cuda:1, a thread that did not choose it would launch on another's
// stream.
TEST(Threads, ChooseTheirDeviceOnceEach) {
  const Tensor x = to_tensor({1, 2, 3}, {3}, kGpu);
  emulation::set_fault({.function = "cudaSetDevice", .after = 0, .error = 101, .sticky = false});
  EXPECT_EQ(to_double(x), (Vector{1, 2, 3})) << "this thread chose before";
  std::string message;
  std::thread([&] { message = error_of<DeviceError>([&] { to_double(x); }); }).join();
  EXPECT_THAT(message, testing::HasSubstr("cudaSetDevice"));
  std::thread([&] { EXPECT_EQ(to_double(x), (Vector{1, 2, 3})); }).join();
}

}  // namespace
}  // namespace avs
