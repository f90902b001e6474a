// Shared by every file of cuda/: checked calls, the compute stream, and launch(), the only function that starts
// kernels.
//
// There is one compute stream per device: stream order is program order, so ops need no events, and memory that is
// freed to the arena can be allocated again at once. launch() also lets the same kernels run on the host
// (tests/emulation): AVS_EMULATED_CUDA is defined there, and <cuda_runtime.h> is the emulation's.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <memory>
#include <tuple>

#include "tensor/device.h"
#include "tensor/error.h"

namespace avs::cuda {

// ---- checks ----

// Throws OutOfMemory or DeviceError with CUDA's name and message for the failure, and the failed action.
void check(cudaError_t result, const char* what);
bool is_capturing(cudaStream_t stream);
// AVS_SYNC_LAUNCHES=1 waits for the kernel here, except while the stream captures.
void check_launch(const char* kernel, cudaStream_t stream);

// ---- the device ----

struct DeviceFacts {
  int compute_capability = 0;  // 75, 80, 90
  // the architecture of its kernels: less than compute_capability if they were compiled from older PTX
  int compiled_for = 0;
  int multiprocessors = 0;
  size_t shared_bytes_per_block = 0;  // the opt-in maximum
};
const DeviceFacts& facts(Device device);
int compiled_for();  // fill.cu: for the current device
cudaStream_t stream(Device device);

// ---- launches ----

struct Grid {
  dim3 blocks, threads;
  size_t shared_bytes = 0;  // dynamic
};

constexpr int kBlock = 256;

// A grid for kernels that stride over n items: enough blocks to fill the device a few times, but no more than the items
// need.
Grid over(int64_t n, Device device, int threads = kBlock);
inline int64_t blocks_for(int64_t n, int64_t per_block) { return (n + per_block - 1) / per_block; }

// Raises the kernel's limit of dynamic shared memory, which is 48 KB by default.
void allow_shared(const void* kernel, size_t bytes);

#if defined(__CUDACC__) || defined(AVS_EMULATED_CUDA)  // host files of cuda/ do not use it

#ifdef AVS_EMULATED_CUDA
template <typename Kernel, typename Parameters>
struct Bound {
  Kernel kernel;
  Parameters parameters;
  static void call(const void* bound) {
    const auto& self = *static_cast<const Bound*>(bound);
    std::apply(self.kernel, self.parameters);
  }
};
#endif

template <typename... Parameters, typename... Arguments>
void launch(const char* name, void (*kernel)(Parameters...), const Grid& grid, Device device, Arguments... arguments) {
  if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0)
    return;  // an empty tensor: CUDA would report an error
  if (grid.shared_bytes > 48 * 1024) allow_shared(reinterpret_cast<const void*>(kernel), grid.shared_bytes);
  const cudaStream_t compute = stream(device);
#ifdef AVS_EMULATED_CUDA
  using Call = Bound<void (*)(Parameters...), std::tuple<std::decay_t<Parameters>...>>;
  const auto extent = [](const dim3& d) { return emulation::Extent{d.x, d.y, d.z}; };
  auto bound = std::make_shared<Call>(Call{kernel, {static_cast<Parameters>(arguments)...}});
  emulation::launch_on(compute, {.kernel = name,
                                 .grid = extent(grid.blocks),
                                 .block = extent(grid.threads),
                                 .shared_bytes = grid.shared_bytes,
                                 .call = &Call::call,
                                 .parameters = bound,
                                 .parameter_bytes = sizeof(Call)});
#else
  kernel<<<grid.blocks, grid.threads, grid.shared_bytes, compute>>>(static_cast<Parameters>(arguments)...);
#endif
  check_launch(name, compute);
}

#endif

}  // namespace avs::cuda
