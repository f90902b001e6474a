// cuBLASLt on the host: column-major products as plain loops, run or recorded on the stream like a kernel. Errors that
// the library detects return its status; errors that only the device would notice (memory that is not the device's, an
// address less aligned than the algorithm requires, too small a workspace) are findings.
#include "tests/emulation/include/cublasLt.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <vector>

#include "cuda/blas.h"
#include "tensor/dtype.h"
#include "tests/emulation/include/cuda_runtime.h"
#include "tests/emulation/runtime.h"
#include "tests/emulation/shadow.h"

struct cublasLtContext {
  void* memory = nullptr;  // the library allocates device memory when it is created
};
struct cublasLtMatmulDescOpaque_t {
  cublasComputeType_t compute = CUBLAS_COMPUTE_32F;
  cublasOperation_t transpose_a = CUBLAS_OP_N, transpose_b = CUBLAS_OP_N;
  uint32_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
  const void* bias = nullptr;
  void* aux = nullptr;  // GELU's input: written forward, read backward
  int64_t aux_leading = 0;
};
struct cublasLtMatrixLayoutOpaque_t {
  cudaDataType_t type = CUDA_R_32F;
  uint64_t rows = 0, columns = 0;
  int64_t leading = 0;
};
struct cublasLtMatmulPreferenceOpaque_t {
  uint64_t workspace_bytes = 0;
  uint32_t alignment[4] = {256, 256, 256, 256};
  uint32_t reductions = 7;  // all
};

namespace {

using avs::bf16;
using avs::f16;
using avs::str;
using avs::emulation::Access;
using avs::emulation::Finding;
namespace heap = avs::emulation::heap;

// The properties that an algorithm was chosen for, stored in cublasLtMatmulAlgo_t.
struct Algorithm {
  uint64_t m, n, k;
  uint16_t types[2];  // types of A and B, and of D
  uint16_t kinds[2];  // transposes, epilogue
  uint64_t workspace_bytes;
  uint16_t alignment[4];
  uint32_t compute;
  uint32_t bias_alignment, aux_alignment;
};
static_assert(sizeof(Algorithm) <= sizeof(cublasLtMatmulAlgo_t));

constexpr uint32_t kGelu = 32, kGeluGradient = 64, kAux = 128;  // bits of an epilogue

bool has(const cublasLtMatmulDescOpaque_t& operation, uint32_t what) { return (operation.epilogue & what) != 0; }

size_t bytes_of(cudaDataType_t type) { return type == CUDA_R_32F ? 4 : 2; }

float read(const void* data, cudaDataType_t type, int64_t at) {
  if (type == CUDA_R_32F) return static_cast<const float*>(data)[at];
  if (type == CUDA_R_16F) return static_cast<float>(static_cast<const f16*>(data)[at]);
  return static_cast<float>(static_cast<const bf16*>(data)[at]);
}
void write(void* data, cudaDataType_t type, int64_t at, float value) {
  if (type == CUDA_R_32F) static_cast<float*>(data)[at] = value;
  if (type == CUDA_R_16F) static_cast<f16*>(data)[at] = f16(value);
  if (type == CUDA_R_16BF) static_cast<bf16*>(data)[at] = bf16(value);
}
float rounded_to_tf32(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  return std::bit_cast<float>((bits + 0xfffu + (bits >> 13 & 1u)) & ~0x1fffu);
}

// Returns op(matrix) as floats; each line along k is contiguous.
std::vector<float> lines(const void* data, const cublasLtMatrixLayoutOpaque_t& layout, bool rows_are_lines, bool tf32) {
  const auto count = static_cast<int64_t>(rows_are_lines ? layout.rows : layout.columns);
  const auto depth = static_cast<int64_t>(rows_are_lines ? layout.columns : layout.rows);
  std::vector<float> all;
  all.reserve(static_cast<size_t>(count * depth));
  for (int64_t line = 0; line < count; ++line)
    for (int64_t k = 0; k < depth; ++k) {
      const float x = read(data, layout.type, rows_are_lines ? line + k * layout.leading : k + line * layout.leading);
      all.push_back(tf32 ? rounded_to_tf32(x) : x);
    }
  return all;
}

// Checks that the library supports this product, and stores the properties that an algorithm is chosen for.
cublasStatus_t describe(const cublasLtMatmulDescOpaque_t* operation, const cublasLtMatrixLayoutOpaque_t* a,
                        const cublasLtMatrixLayoutOpaque_t* b, const cublasLtMatrixLayoutOpaque_t* c,
                        const cublasLtMatrixLayoutOpaque_t* d, Algorithm& described) {
  for (const auto* layout : {a, b, c, d})
    if (layout == nullptr || layout->leading < static_cast<int64_t>(layout->rows)) return CUBLAS_STATUS_INVALID_VALUE;
  if (operation == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const bool plain_a = operation->transpose_a == CUBLAS_OP_N, plain_b = operation->transpose_b == CUBLAS_OP_N;
  described.m = plain_a ? a->rows : a->columns;
  described.n = plain_b ? b->columns : b->rows;
  described.k = plain_a ? a->columns : a->rows;
  const bool fit = described.k == (plain_b ? b->rows : b->columns) && d->rows == described.m &&
                   d->columns == described.n && c->rows == d->rows && c->columns == d->columns;
  if (!fit || described.m == 0 || described.n == 0 || described.k == 0) return CUBLAS_STATUS_INVALID_VALUE;
  if ((operation->epilogue & kAux) != 0 && (operation->aux == nullptr || operation->aux_leading % 8 != 0 ||
                                            operation->aux_leading < static_cast<int64_t>(d->rows)))
    return CUBLAS_STATUS_INVALID_VALUE;
  const bool tf32 = operation->compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  if (a->type != b->type || c->type != d->type || (d->type != a->type && d->type != CUDA_R_32F) ||
      (tf32 && a->type != CUDA_R_32F))
    return CUBLAS_STATUS_NOT_SUPPORTED;
  described.types[0] = static_cast<uint16_t>(a->type);
  described.types[1] = static_cast<uint16_t>(d->type);
  described.kinds[0] = static_cast<uint16_t>((plain_a ? 0 : 1) + (plain_b ? 0 : 2));
  described.kinds[1] = static_cast<uint16_t>(operation->epilogue);
  described.compute = operation->compute;
  return CUBLAS_STATUS_SUCCESS;
}

bool is_for(const Algorithm& chosen, const Algorithm& asked) {
  return chosen.m == asked.m && chosen.n == asked.n && chosen.k == asked.k && chosen.compute == asked.compute &&
         std::ranges::equal(chosen.types, asked.types) && std::ranges::equal(chosen.kinds, asked.kinds);
}

uint32_t alignment_of(const void* data) {
  const auto address = reinterpret_cast<uintptr_t>(data);
  return static_cast<uint32_t>(std::min<uintptr_t>(address & (~address + 1), 256));
}

void check_memory(const char* what, const void* data, size_t bytes, uint32_t alignment) {
  if (!heap::contains(data) || !heap::is_live(data, bytes))
    throw Finding(str("cublasLtMatmul: ", bytes, " bytes of ", what, " are not, or not all, a tensor of the device"));
  if (alignment_of(data) < alignment)
    throw Finding(str("cublasLtMatmul: ", what, " is aligned to ", alignment_of(data),
                      " bytes, but the algorithm was chosen for ", alignment));
}
size_t bytes_of(const cublasLtMatrixLayoutOpaque_t& layout) {
  return (static_cast<uint64_t>(layout.leading) * (layout.columns - 1) + layout.rows) * bytes_of(layout.type);
}
size_t aux_bytes(const cublasLtMatmulDescOpaque_t& operation, const cublasLtMatrixLayoutOpaque_t& d) {
  return (static_cast<uint64_t>(operation.aux_leading) * (d.columns - 1) + d.rows) * bytes_of(d.type);
}
void check_matrix(const char* what, const void* data, const cublasLtMatrixLayoutOpaque_t& layout, uint32_t alignment) {
  check_memory(what, data, bytes_of(layout), alignment);
}

// x/2 (1 + tanh u),  u = sqrt(2/pi) (x + 0.044715 x^3)
float tanh_gelu(float x) { return 0.5f * x * (1 + std::tanh(0.7978845608f * (x + 0.044715f * x * x * x))); }
float tanh_gelu_gradient(float x) {
  const float t = std::tanh(0.7978845608f * (x + 0.044715f * x * x * x));
  return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * 0.7978845608f * (1 + 3 * 0.044715f * x * x);
}

struct Multiplication {
  cublasLtMatmulDescOpaque_t operation;
  cublasLtMatrixLayoutOpaque_t a, b, d;
  const void *data_a, *data_b;
  void* data_d;
  void* workspace;
  size_t workspace_bytes;

  void operator()() const {
    heap::touch(data_a, bytes_of(a), Access::Read);
    heap::touch(data_b, bytes_of(b), Access::Read);
    heap::touch(data_d, bytes_of(d), Access::Write);
    heap::touch(workspace, workspace_bytes, Access::Write);
    if (has(operation, CUBLASLT_EPILOGUE_BIAS)) heap::touch(operation.bias, d.rows * bytes_of(d.type), Access::Read);
    if (has(operation, kAux))
      heap::touch(operation.aux, aux_bytes(operation, d), has(operation, kGeluGradient) ? Access::Read : Access::Write);
    const bool tf32 = operation.compute == CUBLAS_COMPUTE_32F_FAST_TF32;
    const std::vector<float> x = lines(data_a, a, operation.transpose_a == CUBLAS_OP_N, tf32);
    const std::vector<float> y = lines(data_b, b, operation.transpose_b == CUBLAS_OP_T, tf32);
    const auto rows = static_cast<int64_t>(d.rows), columns = static_cast<int64_t>(d.columns);
    const int64_t depth = static_cast<int64_t>(x.size()) / rows;
    for (int64_t j = 0; j < columns; ++j)
      for (int64_t i = 0; i < rows; ++i) {
        float sum = 0;
        for (int64_t k = 0; k < depth; ++k)
          sum += x[static_cast<size_t>(i * depth + k)] * y[static_cast<size_t>(j * depth + k)];
        if (has(operation, CUBLASLT_EPILOGUE_BIAS)) sum += read(operation.bias, d.type, i);
        if (has(operation, CUBLASLT_EPILOGUE_RELU)) sum = std::max(sum, 0.0f);
        const int64_t beside = i + j * operation.aux_leading;
        if (has(operation, kGeluGradient)) sum *= tanh_gelu_gradient(read(operation.aux, d.type, beside));
        if (has(operation, kGelu)) {
          if (has(operation, kAux)) write(operation.aux, d.type, beside, sum);
          sum = tanh_gelu(sum);
        }
        write(data_d, d.type, i + j * d.leading, sum);
      }
  }
};

cublasStatus_t enter(const char* function) { return static_cast<cublasStatus_t>(avs::emulation::fault_in(function)); }

template <typename Object, typename... Fields>
cublasStatus_t create(const char* function, Object** made, Fields... fields) {
  if (const cublasStatus_t status = enter(function); status != CUBLAS_STATUS_SUCCESS) return status;
  *made = new Object{fields...};
  return CUBLAS_STATUS_SUCCESS;
}
template <typename Object>
cublasStatus_t destroy(Object* object) {
  delete object;
  return CUBLAS_STATUS_SUCCESS;
}
template <typename Field>
cublasStatus_t set(Field& field, const void* value, size_t bytes) {
  if (value == nullptr || bytes != sizeof(field)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&field, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

}  // namespace

const char* cublasLtGetStatusName(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
    case CUBLAS_STATUS_NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case CUBLAS_STATUS_ALLOC_FAILED: return "CUBLAS_STATUS_ALLOC_FAILED";
    case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
    case CUBLAS_STATUS_ARCH_MISMATCH: return "CUBLAS_STATUS_ARCH_MISMATCH";
    case CUBLAS_STATUS_EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case CUBLAS_STATUS_INTERNAL_ERROR: return "CUBLAS_STATUS_INTERNAL_ERROR";
    case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
  return "unknown status";
}
const char* cublasLtGetStatusString(cublasStatus_t status) { return cublasLtGetStatusName(status); }

size_t cublasLtGetVersion() { return 130000; }
cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  if (const cublasStatus_t status = enter("cublasLtCreate"); status != CUBLAS_STATUS_SUCCESS) return status;
  auto made = new cublasLtContext;
  if (cudaMalloc(&made->memory, 1024) != cudaSuccess) {
    delete made;
    return CUBLAS_STATUS_ALLOC_FAILED;
  }
  *handle = made;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  cudaFree(handle->memory);
  return destroy(handle);
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* operation, cublasComputeType_t compute,
                                        cudaDataType_t scale) {
  if (scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
  return create("cublasLtMatmulDescCreate", operation, compute);
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation) { return destroy(operation); }
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t attribute,
                                              const void* value, size_t bytes) {
  if (const cublasStatus_t status = enter("cublasLtMatmulDescSetAttribute"); status != CUBLAS_STATUS_SUCCESS)
    return status;
  switch (attribute) {
    case CUBLASLT_MATMUL_DESC_TRANSA: return set(operation->transpose_a, value, bytes);
    case CUBLASLT_MATMUL_DESC_TRANSB: return set(operation->transpose_b, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE: return set(operation->epilogue, value, bytes);
    case CUBLASLT_MATMUL_DESC_BIAS_POINTER: return set(operation->bias, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER: return set(operation->aux, value, bytes);
    case CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD: return set(operation->aux_leading, value, bytes);
  }
  return CUBLAS_STATUS_INVALID_VALUE;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* layout, cudaDataType_t type, uint64_t rows,
                                          uint64_t columns, int64_t leading) {
  return create("cublasLtMatrixLayoutCreate", layout, type, rows, columns, leading);
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout) { return destroy(layout); }
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* preference) {
  return create("cublasLtMatmulPreferenceCreate", preference);
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t preference) { return destroy(preference); }
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t preference,
                                                    cublasLtMatmulPreferenceAttributes_t attribute, const void* value,
                                                    size_t bytes) {
  if (const cublasStatus_t status = enter("cublasLtMatmulPreferenceSetAttribute"); status != CUBLAS_STATUS_SUCCESS)
    return status;
  if (attribute == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES) return set(preference->workspace_bytes, value, bytes);
  if (attribute == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK) return set(preference->reductions, value, bytes);
  return set(preference->alignment[attribute - CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES], value, bytes);
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int most,
                                              cublasLtMatmulHeuristicResult_t results[], int* found) {
  *found = 0;
  if (const cublasStatus_t status = enter("cublasLtMatmulAlgoGetHeuristic"); status != CUBLAS_STATUS_SUCCESS)
    return status;
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (most < 1 || preference == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  Algorithm algorithm{};
  if (const cublasStatus_t status = describe(operation, a, b, c, d, algorithm); status != CUBLAS_STATUS_SUCCESS)
    return status;
  if (d->type != CUDA_R_32F && (preference->reductions & ~unsigned{CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE}) != 0)
    throw Finding("cublasLtMatmulAlgoGetHeuristic: the sums of a split product may meet in 16 bits");
  // Long products are split and need a workspace, as in the library.
  algorithm.workspace_bytes = algorithm.k >= 256 ? std::min<uint64_t>(preference->workspace_bytes, 4096) : 0;
  std::ranges::copy(preference->alignment, algorithm.alignment);
  if (has(*operation, CUBLASLT_EPILOGUE_BIAS)) algorithm.bias_alignment = alignment_of(operation->bias);
  if (has(*operation, kAux)) algorithm.aux_alignment = alignment_of(operation->aux);
  cublasLtMatmulHeuristicResult_t result{};
  std::memcpy(&result.algo, &algorithm, sizeof(algorithm));
  result.workspaceSize = algorithm.workspace_bytes;
  results[0] = result;
  *found = 1;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t operation, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t layout_a, const void* b, cublasLtMatrixLayout_t layout_b,
                              const void* beta, const void* c, cublasLtMatrixLayout_t layout_c, void* d,
                              cublasLtMatrixLayout_t layout_d, const cublasLtMatmulAlgo_t* algorithm, void* workspace,
                              size_t workspace_bytes, cudaStream_t stream) {
  if (const cublasStatus_t status = enter("cublasLtMatmul"); status != CUBLAS_STATUS_SUCCESS) return status;
  if (handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  Algorithm asked{}, chosen{};
  const cublasStatus_t status = describe(operation, layout_a, layout_b, layout_c, layout_d, asked);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  // Supports only the calls of cuda/cublaslt.cpp: d = a b + bias, algorithm given.
  if (algorithm == nullptr || *static_cast<const float*>(alpha) != 1.0f || *static_cast<const float*>(beta) != 0.0f ||
      c != d)
    return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&chosen, algorithm, sizeof(chosen));
  if (!is_for(chosen, asked)) return CUBLAS_STATUS_INVALID_VALUE;
  check_matrix("A", a, *layout_a, chosen.alignment[0]);
  check_matrix("B", b, *layout_b, chosen.alignment[1]);
  check_matrix("D", d, *layout_d, chosen.alignment[3]);
  if (has(*operation, kAux))
    check_memory("GELU's input", operation->aux, aux_bytes(*operation, *layout_d), chosen.aux_alignment);
  if (has(*operation, CUBLASLT_EPILOGUE_BIAS))
    check_memory("the bias", operation->bias, layout_d->rows * bytes_of(layout_d->type), chosen.bias_alignment);
  if (workspace_bytes < chosen.workspace_bytes)
    throw Finding(str("cublasLtMatmul: a workspace of ", workspace_bytes, " bytes; the algorithm needs ",
                      chosen.workspace_bytes));
  if (workspace_bytes != 0) check_memory("the workspace", workspace, workspace_bytes, 256);
  const int submitted = avs::emulation::submit(
      stream, Multiplication{*operation, *layout_a, *layout_b, *layout_d, a, b, d, workspace, workspace_bytes});
  return submitted == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

const std::string& avs::cuda::why_no_library() {
  static const std::string nothing;
  return nothing;
}
