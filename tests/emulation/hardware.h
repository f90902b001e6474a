// The emulated machine, chosen by environment variables, because programs cannot choose it otherwise.
#pragma once

#include <cstddef>

#include "tests/emulation/include/cuda_runtime.h"
#include "tests/emulation/runtime.h"

namespace avs::emulation {

// AVS_EMULATION_DEVICE=no-driver|old-driver|no-device|no-code|sm_75|sm_87|sm_90, AVS_EMULATION_MEMORY=BYTES.
struct Hardware {
  cudaError_t found = cudaSuccess;  // the result of looking for devices
  int driver = CUDART_VERSION, capability = 80;
  bool has_code = true;  // the build has kernels for it
  size_t memory = 0;     // 0: the whole heap
};
const Hardware& hardware();

Fault fault_of_environment();  // AVS_EMULATION_FAULT in the format of set_fault()

}  // namespace avs::emulation
