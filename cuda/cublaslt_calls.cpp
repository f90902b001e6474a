// The functions of cuBLASLt that cublaslt.cpp calls. Each forwards to the library, which the first call opens: linking
// the library itself would make programs need it to start.
#include <cublasLt.h>

#include "cuda/blas.h"
#include "cuda/opened_library.h"

namespace avs::cuda {
namespace {

const OpenedLibrary& cublaslt() {
  static const OpenedLibrary library("cuBLASLt", str("libcublasLt.so.", CUBLAS_VER_MAJOR), "AVS_CUBLASLT_LIBRARY",
                                     AVS_CUDA_LIBRARIES);
  return library;
}

}  // namespace

const std::string& why_no_library() { return cublaslt().problem(); }

}  // namespace avs::cuda

#define AVS_THERE(function) avs::cuda::cublaslt().find<decltype(function)>(#function)

extern "C" {

size_t cublasLtGetVersion() { return AVS_THERE(cublasLtGetVersion)(); }
const char* cublasLtGetStatusName(cublasStatus_t status) { return AVS_THERE(cublasLtGetStatusName)(status); }
const char* cublasLtGetStatusString(cublasStatus_t status) { return AVS_THERE(cublasLtGetStatusString)(status); }
cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) { return AVS_THERE(cublasLtCreate)(handle); }

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* operation, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  return AVS_THERE(cublasLtMatmulDescCreate)(operation, compute, scale);
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) {
  return AVS_THERE(cublasLtMatmulDescDestroy)(operation);
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  return AVS_THERE(cublasLtMatmulDescSetAttribute)(operation, attribute, value, bytes);
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType type, uint64_t rows,
                                          uint64_t columns, int64_t leading) {
  return AVS_THERE(cublasLtMatrixLayoutCreate)(layout, type, rows, columns, leading);
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) {
  return AVS_THERE(cublasLtMatrixLayoutDestroy)(layout);
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  return AVS_THERE(cublasLtMatmulPreferenceCreate)(preference);
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) {
  return AVS_THERE(cublasLtMatmulPreferenceDestroy)(preference);
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                                                    size_t bytes) {
  return AVS_THERE(cublasLtMatmulPreferenceSetAttribute)(preference, attribute, value, bytes);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int most,
                                              cublasLtMatmulHeuristicResult_t results[], int* found) {
  return AVS_THERE(cublasLtMatmulAlgoGetHeuristic)(handle, operation, a, b, c, d, preference, most, results, found);
}
cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t layout_a, const void* b, cublasLtMatrixLayout_t layout_b,
                              const void* beta, const void* c, cublasLtMatrixLayout_t layout_c, void* d,
                              cublasLtMatrixLayout_t layout_d, const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
  return AVS_THERE(cublasLtMatmul)(handle, operation, alpha, a, layout_a, b, layout_b, beta, c, layout_c, d, layout_d,
                                   algorithm, workspace, workspace_bytes, stream);
}

}  // extern "C"
