// The interface of the recording runtime (runtime.cpp) for the emulated libraries (cuBLAS, cuFFT, cuDNN) and the tests.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/emulation/machine.h"

namespace avs::emulation {

using Work = std::function<void()>;

// Runs the work now, or records it while the stream captures. Returns a cudaError_t.
int submit(Stream* stream, Work work, const std::string& name = "a library's kernel");

// A place where the host waited for the device since watch_host(), which a training step must not do.
struct HostWait {
  std::string function;
  bool for_the_last_graph;  // false: only for work before the last graph was started
};
void watch_host();
std::vector<HostWait> host_waits();

// After `after` calls of `function` ("cudaMalloc", "cudaLaunchKernel", …; "cuda*" and "cublas*" match all) the next one
// returns `error` (a cudaError_t or cublasStatus_t). A sticky fault persists, as after an illegal address on a device.
// An empty function means no fault. For programs: AVS_EMULATION_FAULT=FUNCTION,AFTER,ERROR[,sticky].
struct Fault {
  std::string function;
  int after = 0;
  int error = 0;
  bool sticky = false;
};
void set_fault(const Fault& fault);
std::string last_fault();                         // the function that an injected fault made fail
int64_t calls_so_far(const std::string& prefix);  // "cuda" or "cublas"
int fault_in(const char* function);  // for calls of libraries, which have their own error codes; 0: no fault

}  // namespace avs::emulation
