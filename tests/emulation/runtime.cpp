// The CUDA runtime API on the host: device memory is emulation::heap, streams execute at once, and a capturing stream
// records instead. As on a device, what a capture forbids (allocation, synchronisation, copies from and to pageable
// host memory) is refused and invalidates the capture. order.h knows which work is unordered.
#include "tests/emulation/runtime.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "tests/emulation/hardware.h"
#include "tests/emulation/include/cuda_runtime.h"
#include "tests/emulation/order.h"
#include "tests/emulation/pinned.h"
#include "tests/emulation/shadow.h"

namespace avs::emulation {

struct Event {
  uint64_t tick = 0;
  order::Clock clock;
  Graph* captured_in = nullptr;
  int64_t graphs = 0;  // graphs started before it was recorded
};
struct Graph {
  struct Step {  // one of: work (bookkeeping has no stream), an event recorded, an event waited for
    Stream* stream;
    std::string name;
    Work work;
    Event *recorded = nullptr, *awaited = nullptr;
  };
  Stream* origin = nullptr;
  std::vector<Step> steps;
};
struct Stream {
  int number = order::new_stream();
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  Graph* captured = nullptr;
};

namespace {

constexpr size_t kDryCopy = 64;  // bytes of a copy that dry mode makes: flags and indices are at the beginning

struct Machine {
  cudaError_t last = cudaSuccess;
  std::set<Stream*> streams;
  uint64_t ticks = 0;  // one per piece of work or event
  int capturing = 0;
  int64_t graphs_started = 0;
  std::vector<HostWait> host_waits;
  bool relaxed = false;  // memory may be allocated during the capture
  Fault fault = fault_of_environment();
  std::string faulted;
  int64_t calls_of_cuda = 0, calls_of_cublas = 0;
};
Machine& machine() {
  static auto* const m = new Machine;
  return *m;
}

cudaError_t fail(cudaError_t error) {
  machine().last = error;
  return error;
}

// Every API call passes here: tests can make the n-th call of a function fail.
cudaError_t enter(const char* function) {
  const int error = fault_in(function);
  return error == 0 ? cudaSuccess : fail(static_cast<cudaError_t>(error));
}

// For calls that a device refuses while it captures.
cudaError_t enter_outside_capture(const char* function) {
  if (const cudaError_t error = enter(function); error != cudaSuccess) return error;
  if (machine().capturing == 0) return cudaSuccess;
  for (Stream* stream : machine().streams)
    if (stream->status == cudaStreamCaptureStatusActive) stream->status = cudaStreamCaptureStatusInvalidated;
  return fail(cudaErrorStreamCaptureUnsupported);
}

// Threads that share the device take turns, one piece of work each.
std::recursive_mutex& turn() {
  static std::recursive_mutex mutex;
  return mutex;
}

// The host waits for the work in the clock.
void wait_on_host(const char* function, const order::Clock& clock, bool for_the_last_graph) {
  const std::lock_guard lock(turn());
  machine().host_waits.push_back({function, for_the_last_graph});
  pinned::before_host_waits();
  order::host_waits(clock);
  pinned::after_host_waited();
}

Stream* default_stream() {
  static Stream stream;
  return &stream;
}

}  // namespace

void set_fault(const Fault& fault) { machine().fault = fault; }
void watch_host() { machine().host_waits.clear(); }
std::vector<HostWait> host_waits() { return machine().host_waits; }

// The allocations and frees of a captured step happen again at every replay.
namespace {
void record_mark(const Work& mark) {
  mark();
  for (Stream* stream : machine().streams)
    if (stream->status == cudaStreamCaptureStatusActive && stream->captured->origin == stream)
      stream->captured->steps.push_back({nullptr, "", mark});
}
}  // namespace
void mark_live(void* data, size_t bytes, size_t block_bytes) {
  if (dry()) return heap::mark_live(data, bytes, block_bytes);
  record_mark([=] { heap::mark_live(data, bytes, block_bytes); });
}
void mark_dead(void* data, size_t bytes) {
  if (dry()) return;
  record_mark([=] { heap::mark_dead(data, bytes); });
}
std::string last_fault() { return machine().faulted; }
int64_t calls_so_far(const std::string& prefix) {
  return prefix == "cublas" ? machine().calls_of_cublas : machine().calls_of_cuda;
}
int fault_in(const char* function) {
  const std::string_view name = function;
  ++(name.starts_with("cublas") ? machine().calls_of_cublas : machine().calls_of_cuda);
  Fault& fault = machine().fault;
  const std::string_view wanted = fault.function;
  const bool meant = wanted.ends_with('*') ? name.starts_with(wanted.substr(0, wanted.size() - 1)) : name == wanted;
  if (!meant || fault.after-- != 0) return 0;
  machine().faulted = function;
  if (fault.sticky)
    fault.after = 0;
  else
    fault.function.clear();
  return fault.error;
}

int submit(Stream* stream, Work work, const std::string& name) {
  if (dry()) return cudaSuccess;
  const std::lock_guard lock(turn());
  if (stream == nullptr) stream = default_stream();
  if (stream->status == cudaStreamCaptureStatusInvalidated) return fail(cudaErrorStreamCaptureInvalidated);
  if (stream->status == cudaStreamCaptureStatusActive) {
    stream->captured->steps.push_back({stream, name, std::move(work)});
    return cudaSuccess;
  }
  order::begin(stream->number, name);
  ++machine().ticks;
  work();
  return cudaSuccess;
}

void launch_on(Stream* stream, Launch launch) {
  if (enter("cudaLaunchKernel") != cudaSuccess) return;
  if (!hardware().has_code) {
    fail(cudaErrorNoKernelImageForDevice);
    return;
  }
  const std::string name = "kernel " + launch.kernel;
  submit(
      stream, [launch = std::move(launch)] { run(launch); }, name);
}

}  // namespace avs::emulation

using namespace avs::emulation;

cudaError_t cudaGetLastError() {
  const cudaError_t error = machine().last;
  if (machine().fault.function.empty() || !machine().fault.sticky) machine().last = cudaSuccess;
  return error;
}
cudaError_t cudaPeekAtLastError() { return machine().last; }

cudaError_t cudaDriverGetVersion(int* version) {
  *version = hardware().driver;
  return enter("cudaDriverGetVersion");
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return enter("cudaRuntimeGetVersion");
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = hardware().found == cudaSuccess ? 1 : 0;
  if (hardware().found != cudaSuccess) return fail(hardware().found);
  return enter("cudaGetDeviceCount");
}
cudaError_t cudaSetDevice(int device) {
  if (const cudaError_t error = enter("cudaSetDevice"); error != cudaSuccess) return error;
  return device == 0 ? cudaSuccess : fail(cudaErrorInvalidDevice);
}
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return enter("cudaGetDevice");
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (const cudaError_t error = enter("cudaGetDeviceProperties"); error != cudaSuccess) return error;
  if (device != 0) return fail(cudaErrorInvalidDevice);
  *properties = {"host emulation", heap::total_bytes(), hardware().capability / 10, hardware().capability % 10, 2};
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (const cudaError_t error = enter("cudaDeviceGetAttribute"); error != cudaSuccess) return error;
  if (device != 0) return fail(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = 48 * 1024; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 99 * 1024; break;
    case cudaDevAttrMultiProcessorCount: *value = dry() ? 128 : 2; break;
    case cudaDevAttrComputeCapabilityMajor: *value = hardware().capability / 10; break;
    case cudaDevAttrComputeCapabilityMinor: *value = hardware().capability % 10; break;
  }
  return cudaSuccess;
}
namespace {
// For functions that wait for everything, including cudaFree and cudaFreeHost, though callers should not rely on those.
cudaError_t wait_for_all(const char* function) {
  const cudaError_t error = enter_outside_capture(function);
  if (error != cudaSuccess) return error;
  for (const Stream* stream : machine().streams) wait_on_host(function, order::now(stream->number), true);
  return cudaSuccess;
}
}  // namespace
cudaError_t cudaDeviceSynchronize() { return wait_for_all("cudaDeviceSynchronize"); }
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  *total_bytes = hardware().memory != 0 ? hardware().memory : heap::total_bytes();
  *free_bytes = *total_bytes - std::min(*total_bytes, heap::total_bytes() - heap::free_bytes());
  return enter("cudaMemGetInfo");
}

// ---- memory ----

cudaError_t cudaMalloc(void** data, size_t bytes) {
  const bool allowed = machine().capturing > 0 && machine().relaxed;
  const cudaError_t error = allowed ? enter("cudaMalloc") : enter_outside_capture("cudaMalloc");
  if (error != cudaSuccess) return error;
  const size_t taken = heap::total_bytes() - heap::free_bytes();
  *data = hardware().memory != 0 && taken + bytes > hardware().memory ? nullptr : heap::allocate(bytes);
  return *data != nullptr ? cudaSuccess : fail(cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void* data) {
  if (const cudaError_t error = wait_for_all("cudaFree"); error != cudaSuccess) return error;
  return data == nullptr || heap::release(data) ? cudaSuccess : fail(cudaErrorInvalidValue);
}
cudaError_t cudaMallocHost(void** data, size_t bytes) {
  if (const cudaError_t error = enter_outside_capture("cudaMallocHost"); error != cudaSuccess) return error;
  *data = pinned::allocate(bytes);
  return *data != nullptr ? cudaSuccess : fail(cudaErrorMemoryAllocation);
}
cudaError_t cudaFreeHost(void* data) {
  if (const cudaError_t error = wait_for_all("cudaFreeHost"); error != cudaSuccess) return error;
  return data == nullptr || pinned::release(data) ? cudaSuccess : fail(cudaErrorInvalidValue);
}

namespace {

cudaError_t check_copy(const void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  const bool to_device = heap::contains(to), from_device = heap::contains(from);
  const bool right = (kind == cudaMemcpyHostToDevice && to_device && !from_device) ||
                     (kind == cudaMemcpyDeviceToHost && !to_device && from_device) ||
                     (kind == cudaMemcpyDeviceToDevice && to_device && from_device) ||
                     (kind == cudaMemcpyHostToHost && !to_device && !from_device) || kind == cudaMemcpyDefault;
  if (!right) return cudaErrorInvalidValue;
  if ((to_device && !heap::is_live(to, bytes)) || (from_device && !heap::is_live(from, bytes)))
    return cudaErrorIllegalAddress;
  return cudaSuccess;
}

}  // namespace

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  if (const cudaError_t error = enter("cudaMemcpyAsync"); error != cudaSuccess) return error;
  if (bytes == 0) return cudaSuccess;
  if (const cudaError_t error = check_copy(to, from, bytes, kind); error != cudaSuccess) return fail(error);
  if (stream == nullptr) stream = default_stream();
  const bool from_host = kind == cudaMemcpyHostToDevice, to_host = kind == cudaMemcpyDeviceToHost;
  const bool pageable = (from_host && !pinned::contains(from)) || (to_host && !pinned::contains(to));
  if (pageable) {
    if (const cudaError_t error = enter_outside_capture("cudaMemcpyAsync of pageable memory"); error != cudaSuccess)
      return error;
  }
  if (dry()) {
    const bool whole = bytes <= kDryCopy;
    if (whole || to_host) std::memmove(to, from, std::min(bytes, kDryCopy));
    if (!whole && to_host) std::memset(static_cast<std::byte*>(to) + kDryCopy, 0, bytes - kDryCopy);
    return cudaSuccess;
  }
  const int result = submit(
      stream,
      [=] {
        if (!from_host) heap::touch(from, bytes, Access::Read);
        if (!to_host) heap::touch(to, bytes, Access::Write);
        if (to_host && !pageable) return pinned::write(to, from, bytes);
        if (from_host && !pageable) pinned::read(from, bytes);
        std::memmove(to, from, bytes);
      },
      "a copy");
  if (result == cudaSuccess && pageable)
    wait_on_host("cudaMemcpyAsync of pageable memory", order::now(stream->number), true);
  return static_cast<cudaError_t>(result);
}
cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t stream) {
  if (const cudaError_t error = enter("cudaMemsetAsync"); error != cudaSuccess) return error;
  if (bytes == 0) return cudaSuccess;
  if (!heap::contains(data) || !heap::is_live(data, bytes)) return fail(cudaErrorInvalidValue);
  if (dry()) {
    if (bytes <= kDryCopy) std::memset(data, value, bytes);
    return cudaSuccess;
  }
  return static_cast<cudaError_t>(submit(
      stream,
      [=] {
        heap::touch(data, bytes, Access::Write);
        std::memset(data, value, bytes);
      },
      "a memset"));
}

// ---- streams, events, graphs ----

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  if (const cudaError_t error = enter_outside_capture("cudaStreamCreateWithFlags"); error != cudaSuccess) return error;
  *stream = new Stream;
  machine().streams.insert(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  if (machine().streams.erase(stream) == 0) return fail(cudaErrorInvalidResourceHandle);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (const cudaError_t error = enter_outside_capture("cudaStreamSynchronize"); error != cudaSuccess) return error;
  if (stream == nullptr) stream = default_stream();
  wait_on_host("cudaStreamSynchronize", order::now(stream->number), true);
  return cudaSuccess;
}
// A stream that waits for an event of a capture joins the capture.
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  if (const cudaError_t error = enter("cudaStreamWaitEvent"); error != cudaSuccess) return error;
  if (stream == nullptr) stream = default_stream();
  if (event->captured_in != nullptr) {
    if (stream->captured != nullptr && stream->captured != event->captured_in)
      return fail(cudaErrorStreamCaptureIsolation);
    if (stream->captured == nullptr) stream->status = cudaStreamCaptureStatusActive;
    stream->captured = event->captured_in;
    stream->captured->steps.push_back({stream, "", nullptr, nullptr, event});
    return cudaSuccess;
  }
  if (stream->status != cudaStreamCaptureStatusNone) return fail(cudaErrorStreamCaptureIsolation);
  order::wait(stream->number, event->clock);
  return cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new Event;
  return enter("cudaEventCreateWithFlags");
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  if (const cudaError_t error = enter("cudaEventRecord"); error != cudaSuccess) return error;
  if (stream == nullptr) stream = default_stream();
  event->tick = ++machine().ticks;
  event->captured_in = stream->captured;
  if (stream->captured != nullptr) {
    stream->captured->steps.push_back({stream, "", nullptr, event, nullptr});
  } else {
    event->clock = order::now(stream->number);
    event->graphs = machine().graphs_started;
  }
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (const cudaError_t error = enter_outside_capture("cudaEventSynchronize"); error != cudaSuccess) return error;
  if (event->captured_in != nullptr) return fail(cudaErrorInvalidValue);
  wait_on_host("cudaEventSynchronize", event->clock, event->graphs == machine().graphs_started && event->tick > 0);
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop) {
  *milliseconds = 0.001f * static_cast<float>(stop->tick - start->tick);  // each piece of work or event takes 1 us
  return enter("cudaEventElapsedTime");
}

namespace {
// Returns whether, at the end of a capture, its first stream has waited for all work of the others.
bool is_joined(const Graph& graph) {
  using Counts = std::map<const Stream*, int64_t>;  // for each stream, how much of its work is finished
  std::map<const Stream*, Counts> known;
  std::map<const Event*, Counts> events;
  for (const Graph::Step& step : graph.steps) {
    if (step.stream == nullptr) continue;
    Counts& mine = known[step.stream];
    if (step.recorded != nullptr) events[step.recorded] = mine;
    if (step.awaited != nullptr)
      for (const auto& [stream, count] : events[step.awaited]) mine[stream] = std::max(mine[stream], count);
    if (step.work) ++mine[step.stream];
  }
  return std::ranges::all_of(known, [&](const auto& of) {
    const auto work = of.second.find(of.first);
    return work == of.second.end() || known[graph.origin][of.first] >= work->second;
  });
}
}  // namespace

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  if (const cudaError_t error = enter("cudaStreamBeginCapture"); error != cudaSuccess) return error;
  if (stream == nullptr || stream->status != cudaStreamCaptureStatusNone)
    return fail(cudaErrorStreamCaptureUnsupported);
  machine().relaxed = mode == cudaStreamCaptureModeRelaxed;
  stream->status = cudaStreamCaptureStatusActive;
  stream->captured = new Graph;
  stream->captured->origin = stream;
  ++machine().capturing;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const cudaError_t error = enter("cudaStreamEndCapture");
  if (stream->status == cudaStreamCaptureStatusNone) return fail(cudaErrorInvalidValue);
  Graph* const captured = stream->captured;
  if (captured->origin != stream) return fail(cudaErrorStreamCaptureUnjoined);
  cudaError_t result = error != cudaSuccess                              ? error
                       : stream->status == cudaStreamCaptureStatusActive ? cudaSuccess
                                                                         : cudaErrorStreamCaptureInvalidated;
  if (result == cudaSuccess && !is_joined(*captured)) result = cudaErrorStreamCaptureUnjoined;
  for (Stream* other : machine().streams)
    if (other->captured == captured) {
      other->captured = nullptr;
      other->status = cudaStreamCaptureStatusNone;
    }
  *graph = result == cudaSuccess ? captured : nullptr;
  if (result != cudaSuccess) delete captured;
  --machine().capturing;
  return result == cudaSuccess ? cudaSuccess : fail(result);
}
cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  *status = stream == nullptr ? cudaStreamCaptureStatusNone : stream->status;
  return enter("cudaStreamIsCapturing");
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  if (const cudaError_t error = enter_outside_capture("cudaGraphInstantiate"); error != cudaSuccess) return error;
  *executable = new Graph(*graph);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (const cudaError_t error = enter("cudaGraphLaunch"); error != cudaSuccess) return error;
  const std::lock_guard lock(turn());
  ++machine().graphs_started;
  std::map<const Event*, order::Clock> events;
  for (const Graph::Step& step : executable->steps) {
    const int number =
        step.stream == nullptr || step.stream == executable->origin ? stream->number : step.stream->number;
    if (step.recorded != nullptr) events[step.recorded] = order::now(number);
    if (step.awaited != nullptr) order::wait(number, events[step.awaited]);
    if (!step.work) continue;
    if (step.stream != nullptr) order::begin(number, step.name);
    step.work();
  }
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
  attributes->ptxVersion = attributes->binaryVersion = hardware().capability;
  return hardware().has_code ? enter("cudaFuncGetAttributes") : fail(cudaErrorNoKernelImageForDevice);
}
cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int value) {
  if (const cudaError_t error = enter("cudaFuncSetAttribute"); error != cudaSuccess) return error;
  return value <= 99 * 1024 ? cudaSuccess : fail(cudaErrorInvalidValue);
}
