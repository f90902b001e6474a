// Matrix products by cuBLASLt. Its matrices are column-major and ours row-major: our C is its C transposed, so it
// computes C^T [n, m] = op(B)^T op(A)^T, with our B first. The library's heuristic chooses an algorithm once per shape
// and kind, and the choice is kept with its descriptors. The workspace is a tensor that is freed right after the call
// (stream order makes that safe).
#include <cublasLt.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <mutex>

#include "cuda/blas.h"
#include "cuda/runtime.h"
#include "tensor/ops/cast.h"

namespace avs::cuda {
namespace {

constexpr size_t kWorkspaceBytes = size_t{32} << 20;  // NVIDIA's recommendation for Hopper; older GPUs need less
constexpr uint32_t kWidestAlignment = 256;  // the alignment of cudaMalloc, and the library's default assumption

void check_blas(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const std::string message =
      str("cuBLASLt: ", what, ": ", cublasLtGetStatusString(status), " (", cublasLtGetStatusName(status), ")");
  if (status == CUBLAS_STATUS_ALLOC_FAILED)
    throw OutOfMemory(message +
                      "; other programs may use this GPU (nvidia-smi shows which), and a smaller --batch needs less");
  throw DeviceError(message);
}

// Deleter of the library's objects.
template <auto destroy>
struct Destroy {
  template <typename T>
  void operator()(T* object) const {
    destroy(object);
  }
};
template <typename Handle, auto destroy>
using Owned = std::unique_ptr<std::remove_pointer_t<Handle>, Destroy<destroy>>;
using Operation = Owned<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy>;
using Layout = Owned<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;
using Preference = Owned<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy>;

// All values that the choice of an algorithm depends on.
struct Key {
  int64_t m, n, k;
  Order order_a, order_b;
  DType in, out;
  cublasLtEpilogue_t epilogue;
  bool tf32;
  std::array<uint32_t, 5> alignments;  // a, b, c, bias, GELU's input
  auto operator<=>(const Key&) const = default;
};

struct Plan {
  Operation operation;
  Layout a, b, c;
  cublasLtMatmulAlgo_t algorithm{};
  size_t workspace_bytes = 0;
  bool found = false;
};

cudaDataType_t type_of(DType dtype) {
  switch (dtype) {
    case DType::F32: return CUDA_R_32F;
    case DType::F16: return CUDA_R_16F;
    case DType::BF16: return CUDA_R_16BF;
    default: throw ShapeError(str("matrix product: expected f32, bf16 or f16, got ", dtype));
  }
}

uint32_t alignment_of(const Tensor& x) {
  if (!x.defined()) return 0;
  const auto address = reinterpret_cast<uintptr_t>(x.raw());
  return static_cast<uint32_t>(std::min<uintptr_t>(address & (~address + 1), kWidestAlignment));
}

template <typename T>
void set(const Operation& operation, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  check_blas(cublasLtMatmulDescSetAttribute(operation.get(), attribute, &value, sizeof(value)), "describing a product");
}
template <typename T>
void set(const Preference& preference, cublasLtMatmulPreferenceAttributes_t attribute, const T& value) {
  check_blas(cublasLtMatmulPreferenceSetAttribute(preference.get(), attribute, &value, sizeof(value)),
             "describing what an algorithm may need");
}

// Describes our [rows, columns], which the library sees as columns by rows.
Layout layout(DType dtype, int64_t rows, int64_t columns) {
  cublasLtMatrixLayout_t made = nullptr;
  check_blas(cublasLtMatrixLayoutCreate(&made, type_of(dtype), static_cast<uint64_t>(columns),
                                        static_cast<uint64_t>(rows), columns),
             "describing a matrix");
  return Layout(made);
}

Operation operation_of(const Key& key) {
  cublasLtMatmulDesc_t made = nullptr;
  const auto compute = key.in == DType::F32 && key.tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F;
  check_blas(cublasLtMatmulDescCreate(&made, compute, CUDA_R_32F), "describing a product");
  Operation operation(made);
  set(operation, CUBLASLT_MATMUL_DESC_TRANSA, key.order_b == Order::Plain ? CUBLAS_OP_N : CUBLAS_OP_T);
  set(operation, CUBLASLT_MATMUL_DESC_TRANSB, key.order_a == Order::Plain ? CUBLAS_OP_N : CUBLAS_OP_T);
  set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE, key.epilogue);
  return operation;
}

cublasLtEpilogue_t epilogue_of(Activation activation, bool bias, const GeluInput& gelu) {
  const bool keeps = gelu.pre.defined();
  if (keeps && gelu.use == GeluInput::Use::Read) return CUBLASLT_EPILOGUE_DGELU;
  if (activation == Activation::Relu) return bias ? CUBLASLT_EPILOGUE_RELU_BIAS : CUBLASLT_EPILOGUE_RELU;
  if (activation == Activation::None) return bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  if (keeps) return bias ? CUBLASLT_EPILOGUE_GELU_AUX_BIAS : CUBLASLT_EPILOGUE_GELU_AUX;
  return bias ? CUBLASLT_EPILOGUE_GELU_BIAS : CUBLASLT_EPILOGUE_GELU;
}

// Sets the epilogue's addresses. The library reads their alignment when it chooses an algorithm, and their contents
// when it runs.
void set_addresses(const Operation& operation, const Tensor& bias, const Tensor& gelu) {
  if (bias.defined()) set(operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias.raw());
  if (!gelu.defined()) return;
  set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_POINTER, gelu.raw());
  set(operation, CUBLASLT_MATMUL_DESC_EPILOGUE_AUX_LD, gelu.shape()[-1]);
}

void choose_algorithm(cublasLtHandle_t handle, const Key& key, Plan& plan) {
  cublasLtMatmulPreference_t made = nullptr;
  check_blas(cublasLtMatmulPreferenceCreate(&made), "describing what an algorithm may need");
  const Preference preference(made);
  set(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspaceBytes);
  if (key.out != DType::F32)  // split sums are added in f32, not in the output's type
    set(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
        uint32_t{CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, key.alignments[1]);  // its A is our B
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, key.alignments[0]);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, key.alignments[2]);
  set(preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, key.alignments[2]);
  cublasLtMatmulHeuristicResult_t best{};
  int found = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(handle, plan.operation.get(), plan.b.get(), plan.a.get(), plan.c.get(),
                                     plan.c.get(), preference.get(), 1, &best, &found);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_ARCH_MISMATCH) return;
  // The library has no GELU epilogue for these types; the caller then runs our own GELU kernel.
  if (status == CUBLAS_STATUS_INVALID_VALUE && (key.epilogue & (CUBLASLT_EPILOGUE_GELU | CUBLASLT_EPILOGUE_DGELU)) != 0)
    return;
  check_blas(status, "choosing an algorithm");
  plan.found = found > 0 && best.state == CUBLAS_STATUS_SUCCESS;
  plan.algorithm = best.algo;
  plan.workspace_bytes = best.workspaceSize;
}

Plan make_plan(cublasLtHandle_t handle, const Key& key, const Tensor& bias, const Tensor& gelu) {
  const bool a_plain = key.order_a == Order::Plain, b_plain = key.order_b == Order::Plain;
  Plan plan;
  plan.a = layout(key.in, a_plain ? key.m : key.k, a_plain ? key.k : key.m);
  plan.b = layout(key.in, b_plain ? key.k : key.n, b_plain ? key.n : key.k);
  plan.c = layout(key.out, key.m, key.n);
  plan.operation = operation_of(key);
  set_addresses(plan.operation, bias, gelu);
  choose_algorithm(handle, key, plan);
  return plan;
}

class Library {
 public:
  Library() { check_blas(cublasLtCreate(&handle_), "starting the library"); }

  const Plan& plan(const Key& key, const Tensor& bias, const Tensor& gelu) {
    auto at = plans_.find(key);
    if (at == plans_.end()) at = plans_.emplace(key, make_plan(handle_, key, bias, gelu)).first;
    set_addresses(at->second.operation, bias, gelu);
    return at->second;
  }

  cublasLtHandle_t handle() const { return handle_; }
  std::mutex mutex;

 private:
  cublasLtHandle_t handle_ = nullptr;
  std::map<Key, Plan> plans_;
};

// One per device, never destroyed: the driver may be gone when statics are destroyed.
Library& library(Device device) {
  static std::mutex mutex;
  static auto* const libraries = new std::map<int, std::unique_ptr<Library>>;
  const std::lock_guard lock(mutex);
  std::unique_ptr<Library>& made = (*libraries)[device.index];
  if (made == nullptr) {
    stream(device);  // creates the device's context first
    made = std::make_unique<Library>();
  }
  return *made;
}

}  // namespace

std::string about_library() {
  const size_t version = cublasLtGetVersion();
  return str("cuBLASLt ", version / 10000, ".", version / 100 % 100, ".", version % 100);
}

bool library_product(const MatMul& product, const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c,
                     const GeluInput& gelu) {
  if (!why_no_library().empty()) return false;
  const Device device = c.device();
  // The library accepts a bias of c's type only.
  const Tensor fitting_bias = bias.defined() ? ops::cast(bias, c.dtype()) : Tensor();
  const Key key{.m = product.m,
                .n = product.n,
                .k = product.k,
                .order_a = product.a,
                .order_b = product.b,
                .in = a.dtype(),
                .out = c.dtype(),
                .epilogue = epilogue_of(product.activation, bias.defined(), gelu),
                .tf32 = tf32() == Tf32::Allowed,
                .alignments = {alignment_of(a), alignment_of(b), alignment_of(c), alignment_of(fitting_bias),
                               alignment_of(gelu.pre)}};
  Library& lt = library(device);
  const std::lock_guard lock(lt.mutex);
  const Plan& plan = lt.plan(key, fitting_bias, gelu.pre);
  if (!plan.found) return false;
  Tensor workspace;
  if (plan.workspace_bytes != 0)
    workspace = Tensor::empty({static_cast<int64_t>(plan.workspace_bytes)}, DType::U8, device);
  const float one = 1.0f, zero = 0.0f;
  check_blas(cublasLtMatmul(lt.handle(), plan.operation.get(), &one, b.raw(), plan.b.get(), a.raw(), plan.a.get(),
                            &zero, c.raw(), plan.c.get(), c.raw(), plan.c.get(), &plan.algorithm,
                            workspace.defined() ? workspace.raw() : nullptr, plan.workspace_bytes, stream(device)),
             "matrix product");
  return true;
}

}  // namespace avs::cuda
