// The CUDA runtime API on the host: device memory is emulation::heap, streams execute at once, and a stream that captures
// records instead. What a capture forbids (allocation, synchronisation, copies from and to pageable host memory) is refused
// and invalidates the capture, as on a device.
#include "tests/emulation/runtime.h"

#include <cstring>
#include <set>
#include <vector>

#include "tests/emulation/include/cuda_runtime.h"
#include "tests/emulation/shadow.h"

namespace avs::emulation {

struct Graph {
  std::vector<Work> work;
};
struct Stream {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  Graph* captured = nullptr;
};
struct Event {
  uint64_t tick = 0;
};

namespace {

struct Machine {
  cudaError_t last = cudaSuccess;
  std::set<Stream*> streams;
  std::set<void*> pinned;
  uint64_t ticks = 0;
  int capturing = 0;
  Fault fault;
  std::vector<std::string> calls;
};
Machine& machine() {
  static auto* const m = new Machine;
  return *m;
}

cudaError_t fail(cudaError_t error) {
  machine().last = error;
  return error;
}

// Every API call passes here: the place where a test makes the n-th call of a function fail.
cudaError_t enter(const char* function) {
  const int error = fault_in(function);
  return error == 0 ? cudaSuccess : fail(static_cast<cudaError_t>(error));
}

// Calls that a capturing device refuses.
cudaError_t enter_outside_capture(const char* function) {
  if (const cudaError_t error = enter(function); error != cudaSuccess) return error;
  if (machine().capturing == 0) return cudaSuccess;
  for (Stream* stream : machine().streams)
    if (stream->status == cudaStreamCaptureStatusActive) stream->status = cudaStreamCaptureStatusInvalidated;
  return fail(cudaErrorStreamCaptureUnsupported);
}

Stream* default_stream() {
  static Stream stream;
  return &stream;
}

}  // namespace

void set_fault(const Fault& fault) { machine().fault = fault; }

// What a captured step takes and gives back while it is recorded, it takes and gives back again whenever it is replayed.
namespace {
void record_mark(const Work& mark) {
  mark();
  for (Stream* stream : machine().streams)
    if (stream->status == cudaStreamCaptureStatusActive) stream->captured->work.push_back(mark);
}
}  // namespace
void mark_live(void* data, size_t bytes, size_t block_bytes) {
  record_mark([=] { heap::mark_live(data, bytes, block_bytes); });
}
void mark_dead(void* data, size_t bytes) {
  record_mark([=] { heap::mark_dead(data, bytes); });
}
int fault_in(const char* function) {
  Fault& fault = machine().fault;
  if (fault.function != function || fault.after-- != 0) return 0;
  if (fault.sticky) fault.after = 0;
  else fault.function.clear();
  return fault.error;
}

int submit(Stream* stream, Work work) {
  if (stream == nullptr) stream = default_stream();
  if (stream->status == cudaStreamCaptureStatusInvalidated) return fail(cudaErrorStreamCaptureInvalidated);
  if (stream->status == cudaStreamCaptureStatusActive) {
    stream->captured->work.push_back(std::move(work));
    return cudaSuccess;
  }
  work();
  return cudaSuccess;
}

void launch_on(Stream* stream, Launch launch) {
  if (enter("cudaLaunchKernel") != cudaSuccess) return;
  submit(stream, [launch = std::move(launch)] { run(launch); });
}

}  // namespace avs::emulation

using namespace avs::emulation;

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInitializationError: return "cudaErrorInitializationError";
    case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice: return "cudaErrorInvalidDevice";
    case cudaErrorNoKernelImageForDevice: return "cudaErrorNoKernelImageForDevice";
    case cudaErrorInvalidResourceHandle: return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady: return "cudaErrorNotReady";
    case cudaErrorIllegalAddress: return "cudaErrorIllegalAddress";
    case cudaErrorLaunchOutOfResources: return "cudaErrorLaunchOutOfResources";
    case cudaErrorLaunchFailure: return "cudaErrorLaunchFailure";
    case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
    case cudaErrorStreamCaptureInvalidated: return "cudaErrorStreamCaptureInvalidated";
    case cudaErrorUnknown: return "cudaErrorUnknown";
  }
  return "unrecognised error";
}
const char* cudaGetErrorString(cudaError_t error) { return cudaGetErrorName(error); }
cudaError_t cudaGetLastError() {
  const cudaError_t error = machine().last;
  if (machine().fault.function.empty() || !machine().fault.sticky) machine().last = cudaSuccess;
  return error;
}
cudaError_t cudaPeekAtLastError() { return machine().last; }

cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return enter("cudaDriverGetVersion");
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return enter("cudaRuntimeGetVersion");
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
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
  *properties = {"host emulation", heap::total_bytes(), 8, 0, 2};
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (const cudaError_t error = enter("cudaDeviceGetAttribute"); error != cudaSuccess) return error;
  if (device != 0) return fail(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrMaxSharedMemoryPerBlock: *value = 48 * 1024; break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 99 * 1024; break;
    case cudaDevAttrMultiProcessorCount: *value = 2; break;
    case cudaDevAttrComputeCapabilityMajor: *value = 8; break;
    case cudaDevAttrComputeCapabilityMinor: *value = 0; break;
  }
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() { return enter_outside_capture("cudaDeviceSynchronize"); }
cudaError_t cudaMemGetInfo(size_t* free_bytes, size_t* total_bytes) {
  *free_bytes = heap::free_bytes();
  *total_bytes = heap::total_bytes();
  return enter("cudaMemGetInfo");
}

// ---- memory ----

cudaError_t cudaMalloc(void** data, size_t bytes) {
  if (const cudaError_t error = enter_outside_capture("cudaMalloc"); error != cudaSuccess) return error;
  *data = heap::allocate(bytes);
  return *data != nullptr ? cudaSuccess : fail(cudaErrorMemoryAllocation);
}
cudaError_t cudaFree(void* data) {
  if (const cudaError_t error = enter_outside_capture("cudaFree"); error != cudaSuccess) return error;
  return data == nullptr || heap::release(data) ? cudaSuccess : fail(cudaErrorInvalidValue);
}
cudaError_t cudaMallocHost(void** data, size_t bytes) {
  if (const cudaError_t error = enter_outside_capture("cudaMallocHost"); error != cudaSuccess) return error;
  *data = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  machine().pinned.insert(*data);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* data) {
  if (const cudaError_t error = enter_outside_capture("cudaFreeHost"); error != cudaSuccess) return error;
  if (machine().pinned.erase(data) == 0) return fail(cudaErrorInvalidValue);
  std::free(data);
  return cudaSuccess;
}

namespace {

bool is_pinned(const void* data) {
  // Only beginnings are known; copies of our loader and scalars start there.
  return machine().pinned.contains(const_cast<void*>(data));
}

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
  const bool pageable = (kind == cudaMemcpyHostToDevice && !is_pinned(from)) || (kind == cudaMemcpyDeviceToHost && !is_pinned(to));
  if (pageable) {
    if (const cudaError_t error = enter_outside_capture("cudaMemcpyAsync of pageable memory"); error != cudaSuccess)
      return error;
  }
  return static_cast<cudaError_t>(submit(stream, [=] { std::memmove(to, from, bytes); }));
}
cudaError_t cudaMemsetAsync(void* data, int value, size_t bytes, cudaStream_t stream) {
  if (const cudaError_t error = enter("cudaMemsetAsync"); error != cudaSuccess) return error;
  if (bytes == 0) return cudaSuccess;
  if (!heap::contains(data) || !heap::is_live(data, bytes)) return fail(cudaErrorInvalidValue);
  return static_cast<cudaError_t>(submit(stream, [=] { std::memset(data, value, bytes); }));
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
cudaError_t cudaStreamSynchronize(cudaStream_t) { return enter_outside_capture("cudaStreamSynchronize"); }
cudaError_t cudaStreamWaitEvent(cudaStream_t, cudaEvent_t, unsigned) { return enter("cudaStreamWaitEvent"); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new Event;
  return enter("cudaEventCreateWithFlags");
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  event->tick = ++machine().ticks;
  return enter("cudaEventRecord");
}
cudaError_t cudaEventSynchronize(cudaEvent_t) { return enter_outside_capture("cudaEventSynchronize"); }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t stop) {
  *milliseconds = static_cast<float>(stop->tick - start->tick);
  return enter("cudaEventElapsedTime");
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (const cudaError_t error = enter("cudaStreamBeginCapture"); error != cudaSuccess) return error;
  if (stream == nullptr || stream->status != cudaStreamCaptureStatusNone) return fail(cudaErrorStreamCaptureUnsupported);
  stream->status = cudaStreamCaptureStatusActive;
  stream->captured = new Graph;
  ++machine().capturing;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  if (const cudaError_t error = enter("cudaStreamEndCapture"); error != cudaSuccess) return error;
  if (stream->status == cudaStreamCaptureStatusNone) return fail(cudaErrorInvalidValue);
  const bool valid = stream->status == cudaStreamCaptureStatusActive;
  *graph = valid ? stream->captured : nullptr;
  if (!valid) delete stream->captured;
  stream->captured = nullptr;
  stream->status = cudaStreamCaptureStatusNone;
  --machine().capturing;
  return valid ? cudaSuccess : fail(cudaErrorStreamCaptureInvalidated);
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
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t) {
  if (const cudaError_t error = enter("cudaGraphLaunch"); error != cudaSuccess) return error;
  for (const Work& work : executable->work) work();
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
cudaError_t cudaFuncSetAttribute(const void*, cudaFuncAttribute, int value) {
  if (const cudaError_t error = enter("cudaFuncSetAttribute"); error != cudaSuccess) return error;
  return value <= 99 * 1024 ? cudaSuccess : fail(cudaErrorInvalidValue);
}
