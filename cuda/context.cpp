// The device's Context: detection, memory, and copies to and from it.
#include <array>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "cuda/api.h"
#include "cuda/arena.h"
#include "cuda/pools.h"
#include "cuda/runtime.h"
#include "cuda/staging.h"

namespace avs::cuda {
namespace {

constexpr int kMaxDevices = 64;

// Returns why the devices cannot be used, or an empty string. Called once.
std::string look_for_devices() {
  int driver = 0, runtime = 0, count = 0;
  const cudaError_t result = cudaGetDeviceCount(&count);
  cudaGetLastError();
  if (result == cudaErrorInsufficientDriver) {
    if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) return "no NVIDIA driver is installed";
    cudaRuntimeGetVersion(&runtime);
    return str("the NVIDIA driver supports CUDA ", driver / 1000, ".", driver % 1000 / 10, ", this build needs ",
               runtime / 1000, ".", runtime % 1000 / 10, "; a newer driver is needed");
  }
  if (result == cudaErrorNoDevice || (result == cudaSuccess && count == 0)) return "no NVIDIA GPU was found";
  if (result != cudaSuccess) return str("CUDA cannot start: ", cudaGetErrorString(result));
  return {};
}

class CudaContext final : public Context {
 public:
  explicit CudaContext(Device device) : device_(device), arena_(device) {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    const auto attribute = [&](cudaDeviceAttr which) {
      int value = 0;
      check(cudaDeviceGetAttribute(&value, which, device.index), "cudaDeviceGetAttribute");
      return value;
    };
    facts_.compute_capability =
        10 * attribute(cudaDevAttrComputeCapabilityMajor) + attribute(cudaDevAttrComputeCapabilityMinor);
    facts_.multiprocessors = attribute(cudaDevAttrMultiProcessorCount);
    facts_.shared_bytes_per_block = static_cast<size_t>(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin));
    facts_.compiled_for = compiled_for();
  }

  Device device() const override { return device_; }
  cudaStream_t stream() const { return stream_; }
  const DeviceFacts& facts() const { return facts_; }
  Arena& arena() { return arena_; }

  void* allocate(size_t bytes) override { return arena_.allocate(bytes); }
  void deallocate(void* data, size_t bytes) noexcept override { arena_.deallocate(data, bytes); }

  void copy_to_host(void* host, const void* data, size_t bytes) override {
    check(cudaMemcpyAsync(host, data, bytes, cudaMemcpyDeviceToHost, stream_), "copying from the device");
    synchronize();
  }
  // Pageable memory is staged before the call returns, so the caller may reuse `host` at once.
  void copy_from_host(void* data, const void* host, size_t bytes) override {
    if (staging_.copy(data, host, bytes, stream_)) return;
    check(cudaMemcpyAsync(data, host, bytes, cudaMemcpyHostToDevice, stream_), "copying to the device");
  }
  void copy_on_device(void* to, const void* from, size_t bytes) override {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_), "copying on the device");
  }
  void fill_zero(void* data, size_t bytes) override {
    check(cudaMemsetAsync(data, 0, bytes, stream_), "clearing device memory");
  }
  void synchronize() override { check(cudaStreamSynchronize(stream_), "waiting for the device"); }

  MemoryStats memory() const override { return arena_.stats(); }
  void set_memory_limit(size_t bytes) override { arena_.set_limit(bytes); }
  void reset_peak() override { arena_.reset_peak(); }
  void release_cached() noexcept override { arena_.release_cached(); }

 private:
  const Device device_;
  Arena arena_;
  Staging staging_;
  cudaStream_t stream_ = nullptr;
  DeviceFacts facts_;
};

CudaContext& cuda_context(Device device) {
  static std::mutex mutex;
  // Never destroyed: tensors in static storage may outlive every other static.
  static auto* const contexts = new std::array<std::unique_ptr<CudaContext>, kMaxDevices>;
  thread_local int current = -1;  // CUDA's current device is per host thread
  const auto at = static_cast<size_t>(device.index);
  if (current == device.index) {  // no call that could fail: tensors are freed while errors unwind
    const std::lock_guard lock(mutex);
    if (at < contexts->size() && (*contexts)[at] != nullptr) return *(*contexts)[at];
  }
  const std::string reason = why_unavailable();
  AVS_CHECK(DeviceError, reason.empty(), device, ": ", reason);
  int count = 0;
  check(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
  AVS_CHECK(DeviceError, device.index >= 0 && device.index < count && count <= kMaxDevices, device,
            ": this machine has ", count, count == 1 ? " GPU, cuda:0" : str(" GPUs, cuda:0 to cuda:", count - 1));
  if (current != device.index) check(cudaSetDevice(device.index), "cudaSetDevice");
  current = device.index;
  const std::lock_guard lock(mutex);
  std::unique_ptr<CudaContext>& context = (*contexts)[at];
  if (context == nullptr) context = std::make_unique<CudaContext>(device);
  return *context;
}

bool waits_after_launches() {
  static const bool waits = [] {
    const char* const asked = std::getenv("AVS_SYNC_LAUNCHES");
    return asked != nullptr && std::string(asked) != "0";
  }();
  return waits;
}

}  // namespace

bool available() { return why_unavailable().empty(); }
std::string why_unavailable() {
  static const std::string reason = look_for_devices();
  return reason;
}
avs::Context& context(Device device) { return cuda_context(device); }

size_t taken_bytes(size_t bytes) { return Arena::taken_bytes(bytes); }
size_t room(Device device) {
  const MemoryStats memory = cuda_context(device).memory();
  size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return memory.live_bytes + memory.cached_bytes + free;
}

int compute_capability(Device device) { return facts(device).compute_capability; }
std::string description(Device device) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device.index), "cudaGetDeviceProperties");
  return str(device, " (", properties.name, ", compute capability ", properties.major, ".", properties.minor, ")");
}

cudaStream_t stream(Device device) { return cuda_context(device).stream(); }
const DeviceFacts& facts(Device device) { return cuda_context(device).facts(); }

int new_pool(Device device) { return cuda_context(device).arena().new_pool(); }
void release_pool(Device device, int pool) { cuda_context(device).arena().release_pool(pool); }
PoolScope::PoolScope(Device device, int pool) : device_(device), before_(cuda_context(device).arena().use_pool(pool)) {}
PoolScope::~PoolScope() { cuda_context(device_).arena().use_pool(before_); }

void check(cudaError_t result, const char* what) {
  if (result == cudaSuccess) return;
  cudaGetLastError();
  const std::string message =
      str("CUDA: ", what, ": ", cudaGetErrorString(result), " (", cudaGetErrorName(result), ")");
  if (result == cudaErrorMemoryAllocation)
    throw OutOfMemory(message +
                      "; other programs may use this GPU (nvidia-smi shows which), and a smaller --batch needs less");
  if (result == cudaErrorNoKernelImageForDevice)
    throw DeviceError(message +
                      "; this build has no kernels for this GPU: build with -DAVS_CUDA_ARCHITECTURES for its "
                      "compute capability, such as 75-real, 87-real or 90a-real");
  throw DeviceError(message);
}

bool is_capturing(cudaStream_t stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(stream, &status), "cudaStreamIsCapturing");
  return status != cudaStreamCaptureStatusNone;
}

void check_launch(const char* kernel, cudaStream_t stream) {
  check(cudaGetLastError(), kernel);
  if (waits_after_launches() && !is_capturing(stream)) check(cudaStreamSynchronize(stream), kernel);
}

Grid over(int64_t n, Device device, int threads) {
  const int64_t enough = int64_t{facts(device).multiprocessors} * 8;
  return {.blocks = dim3(static_cast<unsigned>(std::min(blocks_for(n, threads), enough))),
          .threads = dim3(static_cast<unsigned>(threads))};
}

void allow_shared(const void* kernel, size_t bytes) {
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)),
        "asking for dynamic shared memory");
}

}  // namespace avs::cuda
