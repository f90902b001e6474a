// The functions of cuFFT that cufft.cpp calls. Each forwards to the library, which the first call opens.
#include <cufft.h>

#include "cuda/fft.h"
#include "cuda/opened_library.h"

namespace avs::cuda {
namespace {

const OpenedLibrary& cufft() {
  static const OpenedLibrary library("cuFFT", str("libcufft.so.", CUFFT_VER_MAJOR), "AVS_CUFFT_LIBRARY",
                                     AVS_CUDA_LIBRARIES);
  return library;
}

}  // namespace

const std::string& why_no_fft() { return cufft().problem(); }

}  // namespace avs::cuda

#define AVS_THERE(function) avs::cuda::cufft().find<decltype(function)>(#function)

extern "C" {

cufftResult cufftCreate(cufftHandle* plan) { return AVS_THERE(cufftCreate)(plan); }
cufftResult cufftDestroy(cufftHandle plan) { return AVS_THERE(cufftDestroy)(plan); }
cufftResult cufftSetAutoAllocation(cufftHandle plan, int automatic) {
  return AVS_THERE(cufftSetAutoAllocation)(plan, automatic);
}
cufftResult cufftMakePlanMany(cufftHandle plan, int rank, int* n, int* inembed, int istride, int idist, int* onembed,
                              int ostride, int odist, cufftType type, int batch, size_t* work_bytes) {
  return AVS_THERE(cufftMakePlanMany)(plan, rank, n, inembed, istride, idist, onembed, ostride, odist, type, batch,
                                      work_bytes);
}
cufftResult cufftSetWorkArea(cufftHandle plan, void* work) { return AVS_THERE(cufftSetWorkArea)(plan, work); }
cufftResult cufftSetStream(cufftHandle plan, cudaStream_t stream) { return AVS_THERE(cufftSetStream)(plan, stream); }
cufftResult cufftExecC2C(cufftHandle plan, cufftComplex* in, cufftComplex* out, int direction) {
  return AVS_THERE(cufftExecC2C)(plan, in, out, direction);
}

}  // extern "C"
