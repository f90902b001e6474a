// Which machine is emulated, as the environment asks: for programs, which no test can ask otherwise.
#pragma once

#include <cstddef>

#include "tests/emulation/include/cuda_runtime.h"
#include "tests/emulation/runtime.h"

namespace avs::emulation {

// AVS_EMULATION_DEVICE=no-driver|old-driver|no-device|no-code|sm_75|sm_87|sm_90, AVS_EMULATION_MEMORY=BYTES.
struct Hardware {
  cudaError_t found = cudaSuccess;  // what asking for devices answers
  int driver = CUDART_VERSION, capability = 80;
  bool has_code = true;  // kernels were compiled for it
  size_t memory = 0;     // 0: all of the heap
};
const Hardware& hardware();

Fault fault_of_environment();  // AVS_EMULATION_FAULT, as set_fault() says

}  // namespace avs::emulation
