// Makes one plan per device, length and batch. Its workspace is a tensor, so that the arena counts it.
#include <cufft.h>

#include <map>
#include <mutex>
#include <tuple>

#include "cuda/fft.h"
#include "cuda/runtime.h"
#include "tensor/no_copy.h"

namespace avs::cuda {
namespace {

const char* name_of(cufftResult result) {
  switch (result) {
    case CUFFT_INVALID_PLAN: return "CUFFT_INVALID_PLAN";
    case CUFFT_ALLOC_FAILED: return "CUFFT_ALLOC_FAILED";
    case CUFFT_INVALID_VALUE: return "CUFFT_INVALID_VALUE";
    case CUFFT_INTERNAL_ERROR: return "CUFFT_INTERNAL_ERROR";
    case CUFFT_EXEC_FAILED: return "CUFFT_EXEC_FAILED";
    case CUFFT_SETUP_FAILED: return "CUFFT_SETUP_FAILED";
    case CUFFT_INVALID_SIZE: return "CUFFT_INVALID_SIZE";
    default: return "unknown";
  }
}

void check_fft(cufftResult result, const char* what, const Shape& shape) {
  if (result == CUFFT_SUCCESS) return;
  const std::string message =
      str("cuFFT: ", what, " for transforms ", shape, ": ", name_of(result), " (", int{result}, ")");
  if (result == CUFFT_ALLOC_FAILED) throw OutOfMemory(message + "; other programs may use this GPU");
  throw DeviceError(message);
}

class FftPlan : NoCopy {
 public:
  FftPlan(const Shape& shape, Device device) {
    auto n = static_cast<int>(shape[1]);
    const auto batch = static_cast<int>(shape[0]);
    AVS_CHECK(ShapeError, n == shape[1] && batch == shape[0], "cuFFT: transforms ", shape, " are too many or too long");
    check_fft(cufftCreate(&handle_), "cufftCreate", shape);
    try {
      size_t bytes = 0;
      check_fft(cufftSetAutoAllocation(handle_, 0), "cufftSetAutoAllocation", shape);
      check_fft(cufftMakePlanMany(handle_, 1, &n, nullptr, 1, n, nullptr, 1, n, CUFFT_C2C, batch, &bytes),
                "cufftMakePlanMany", shape);
      workspace_ = Tensor::empty({static_cast<int64_t>(bytes)}, DType::U8, device);
      check_fft(cufftSetWorkArea(handle_, workspace_.raw()), "cufftSetWorkArea", shape);
      check_fft(cufftSetStream(handle_, stream(device)), "cufftSetStream", shape);
    } catch (...) {
      cufftDestroy(handle_);
      throw;
    }
  }
  ~FftPlan() { cufftDestroy(handle_); }

  void run(Tensor& x) const {
    auto* const data = reinterpret_cast<cufftComplex*>(x.data<float>());
    check_fft(cufftExecC2C(handle_, data, data, CUFFT_FORWARD), "cufftExecC2C", x.shape());
  }

 private:
  cufftHandle handle_ = 0;
  Tensor workspace_;
};

}  // namespace

void fft_forward(Tensor& x) {
  if (x.size() == 0) return;
  AVS_CHECK(DeviceError, why_no_fft().empty(), "spectrograms on a GPU: ", why_no_fft(), "; --features-on cpu works");
  using Key = std::tuple<int, int64_t, int64_t>;
  static std::mutex mutex;
  // never destroyed: the driver may be gone when statics are destroyed
  static auto* const plans = new std::map<Key, FftPlan>;
  const std::lock_guard lock(mutex);
  const Shape& shape = x.shape();
  plans->try_emplace(Key{x.device().index, shape[0], shape[1]}, shape, x.device()).first->second.run(x);
}

}  // namespace avs::cuda
