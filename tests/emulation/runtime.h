// What the emulated libraries (cuBLAS, cuFFT, cuDNN) and the tests may do with the recording runtime (runtime.cpp).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/emulation/machine.h"

namespace avs::emulation {

using Work = std::function<void()>;

// Runs the work now, or records it while the stream captures. Returns a cudaError_t.
int submit(Stream* stream, Work work, const std::string& name = "a library's kernel");

// Where the host waited for the device since watch_host(): what a training step must not do.
struct HostWait {
  std::string function;
  bool for_the_last_graph;  // else only for work from before the last graph was started
};
void watch_host();
std::vector<HostWait> host_waits();

// The call of `function` ("cudaMalloc", "cudaLaunchKernel", …; "cuda*", "cublas*": any of them) after the next `after` ones
// returns `error` (a cudaError_t, or a cublasStatus_t); a sticky fault stays, as after an illegal address on a device. An
// empty function: no fault. A program is given one by AVS_EMULATION_FAULT=FUNCTION,AFTER,ERROR[,sticky].
struct Fault {
  std::string function;
  int after = 0;
  int error = 0;
  bool sticky = false;
};
void set_fault(const Fault& fault);
std::string last_fault();                         // the function that failed by a fault
int64_t calls_so_far(const std::string& prefix);  // "cuda" or "cublas"
int fault_in(const char* function);               // for the libraries' calls, whose errors are theirs; 0: none

int streams_of_last_capture();  // on how many of them it does something

}  // namespace avs::emulation
