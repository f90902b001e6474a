// cuFFT on the host: transforms in double precision, run or recorded on the stream like a kernel. Errors that the
// library detects return its status; memory that is not the device's, a freed workspace, and a plan that runs without
// one are findings.
#include "tests/emulation/include/cufft.h"

#include <complex>
#include <map>
#include <numbers>
#include <vector>

#include "cuda/fft.h"
#include "tensor/error.h"
#include "tests/emulation/runtime.h"
#include "tests/emulation/shadow.h"

namespace {

using Number = std::complex<double>;
using avs::str;
using avs::emulation::Finding;

struct Plan {
  int n = 0, batch = 0;
  bool allocates = true;  // the library allocates its workspace itself: a cudaMalloc that the arena does not count
  size_t work_bytes = 0;
  void* work = nullptr;
  cudaStream_t stream = nullptr;
};

std::map<cufftHandle, Plan>& plans() {
  static std::map<cufftHandle, Plan> all;
  return all;
}
Plan* plan_of(cufftHandle handle) {
  const auto found = plans().find(handle);
  return found == plans().end() ? nullptr : &found->second;
}

// Splits into halves while the length is even, then uses the definition.
std::vector<Number> transform(const std::vector<Number>& x, double sign) {
  const size_t n = x.size();
  std::vector<Number> y(n);
  const auto root = [&](size_t k) {
    return std::polar(1.0, sign * 2 * std::numbers::pi * static_cast<double>(k % n) / static_cast<double>(n));
  };
  if (n % 2 != 0) {
    for (size_t k = 0; k < n; ++k)
      for (size_t j = 0; j < n; ++j) y[k] += x[j] * root(k * j);
    return y;
  }
  std::vector<Number> even(n / 2), odd(n / 2);
  for (size_t j = 0; j < n / 2; ++j) {
    even[j] = x[2 * j];
    odd[j] = x[2 * j + 1];
  }
  even = transform(even, sign);
  odd = transform(odd, sign);
  for (size_t k = 0; k < n / 2; ++k) {
    y[k] = even[k] + root(k) * odd[k];
    y[k + n / 2] = even[k] - root(k) * odd[k];
  }
  return y;
}

// Returns the injected fault's status, or success.
cufftResult planted(const char* function) { return static_cast<cufftResult>(avs::emulation::fault_in(function)); }

void check_memory(const char* what, const void* data, size_t bytes) {
  if (!avs::emulation::heap::contains(data) || !avs::emulation::heap::is_live(data, bytes))
    throw Finding(str("cufftExecC2C: ", what, " (", bytes, " bytes) is not inside of a tensor on the device"));
}

void run(const Plan& plan, const cufftComplex* in, cufftComplex* out, int direction) {
  const auto n = static_cast<size_t>(plan.n);
  const size_t bytes = n * static_cast<size_t>(plan.batch) * sizeof(cufftComplex);
  check_memory("the input", in, bytes);
  check_memory("the output", out, bytes);
  if (plan.work_bytes > 0) check_memory("the workspace", plan.work, plan.work_bytes);
  using avs::emulation::Access;
  avs::emulation::heap::touch(in, bytes, Access::Read);
  avs::emulation::heap::touch(out, bytes, Access::Write);
  avs::emulation::heap::touch(plan.work, plan.work_bytes, Access::Write);
  std::vector<Number> x(n);
  for (size_t b = 0; b < static_cast<size_t>(plan.batch); ++b) {
    for (size_t j = 0; j < n; ++j) x[j] = {in[b * n + j].x, in[b * n + j].y};
    const std::vector<Number> y = transform(x, direction);
    for (size_t k = 0; k < n; ++k) out[b * n + k] = {static_cast<float>(y[k].real()), static_cast<float>(y[k].imag())};
  }
}

}  // namespace

cufftResult cufftCreate(cufftHandle* handle) {
  if (const cufftResult fault = planted("cufftCreate"); fault != CUFFT_SUCCESS) return fault;
  static cufftHandle last = 0;
  if (handle == nullptr) return CUFFT_INVALID_VALUE;
  plans()[*handle = ++last] = {};
  return CUFFT_SUCCESS;
}

cufftResult cufftDestroy(cufftHandle handle) { return plans().erase(handle) == 1 ? CUFFT_SUCCESS : CUFFT_INVALID_PLAN; }

cufftResult cufftSetAutoAllocation(cufftHandle handle, int automatic) {
  if (const cufftResult fault = planted("cufftSetAutoAllocation"); fault != CUFFT_SUCCESS) return fault;
  Plan* const plan = plan_of(handle);
  if (plan == nullptr || plan->n != 0) return CUFFT_INVALID_PLAN;  // only before the plan is made
  plan->allocates = automatic != 0;
  return CUFFT_SUCCESS;
}

cufftResult cufftMakePlanMany(cufftHandle handle, int rank, int* n, int* inembed, int istride, int idist, int* onembed,
                              int ostride, int odist, cufftType type, int batch, size_t* work_bytes) {
  if (const cufftResult fault = planted("cufftMakePlanMany"); fault != CUFFT_SUCCESS) return fault;
  Plan* const plan = plan_of(handle);
  if (plan == nullptr || plan->n != 0) return CUFFT_INVALID_PLAN;
  if (rank != 1 || n == nullptr || batch < 1 || type != CUFFT_C2C || work_bytes == nullptr) return CUFFT_INVALID_VALUE;
  if (*n < 1) return CUFFT_INVALID_SIZE;
  // Supports only packed transforms, one after the other.
  if (inembed != nullptr || onembed != nullptr || istride != 1 || ostride != 1 || idist != *n || odist != *n)
    return CUFFT_INVALID_VALUE;
  if (plan->allocates)
    throw Finding("cufftMakePlanMany: the plan would allocate its workspace behind the arena's back");
  plan->n = *n;
  plan->batch = batch;
  *work_bytes = plan->work_bytes = static_cast<size_t>(*n) * static_cast<size_t>(batch) * sizeof(cufftComplex);
  return CUFFT_SUCCESS;
}

cufftResult cufftSetWorkArea(cufftHandle handle, void* work) {
  if (const cufftResult fault = planted("cufftSetWorkArea"); fault != CUFFT_SUCCESS) return fault;
  Plan* const plan = plan_of(handle);
  if (plan == nullptr) return CUFFT_INVALID_PLAN;
  plan->work = work;
  return CUFFT_SUCCESS;
}

cufftResult cufftSetStream(cufftHandle handle, cudaStream_t stream) {
  if (const cufftResult fault = planted("cufftSetStream"); fault != CUFFT_SUCCESS) return fault;
  Plan* const plan = plan_of(handle);
  if (plan == nullptr) return CUFFT_INVALID_PLAN;
  plan->stream = stream;
  return CUFFT_SUCCESS;
}

cufftResult cufftExecC2C(cufftHandle handle, cufftComplex* in, cufftComplex* out, int direction) {
  if (const cufftResult fault = planted("cufftExecC2C"); fault != CUFFT_SUCCESS) return fault;
  const Plan* const plan = plan_of(handle);
  if (plan == nullptr || plan->n == 0) return CUFFT_INVALID_PLAN;
  if (direction != CUFFT_FORWARD && direction != CUFFT_INVERSE) return CUFFT_INVALID_VALUE;
  if (plan->stream == nullptr)
    throw Finding("cufftExecC2C: the plan runs on the default stream, beside the compute stream");
  const Plan copy = *plan;
  return avs::emulation::submit(plan->stream, [=] { run(copy, in, out, direction); }) == cudaSuccess
             ? CUFFT_SUCCESS
             : CUFFT_EXEC_FAILED;
}

const std::string& avs::cuda::why_no_fft() {
  static const std::string nothing;
  return nothing;
}
