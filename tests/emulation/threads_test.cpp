// Host threads that share a device, as the workers of prepare do.
#include <thread>

#include "tests/emulation/gpu.h"
#include "tests/emulation/runtime.h"
#include "tests/op_case.h"

namespace avs {
namespace {

// CUDA's current device is per thread: a thread that did not select cuda:1 would launch on another device's stream.
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
