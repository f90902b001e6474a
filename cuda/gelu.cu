// GELU on CUDA. Memory bound: two elements moved per element forward, three backward (8 and 12 bytes in f32).
#include "tensor/ops/gelu.h"

#include "cuda/device.cuh"
#include "cuda/types.h"

namespace avs::cuda {
namespace {

// ---- device math ----

__device__ inline float normal_cdf(float x) { return normcdff(x); }
__device__ inline float normal_pdf(float x) { return 0.3989422804f * __expf(-0.5f * x * x); }

// ---- kernels ----

template <typename T>
__global__ void gelu_kernel(int64_t n, const T* __restrict__ x, T* __restrict__ y) {
  for (int64_t i = first_item(); i < n; i += item_stride()) {
    const float value = to_float(x[i]);
    y[i] = from_float<T>(value * normal_cdf(value));
  }
}

template <typename T>
__global__ void gelu_backward_kernel(int64_t n, const T* __restrict__ x, const T* __restrict__ dy, T* __restrict__ dx) {
  for (int64_t i = first_item(); i < n; i += item_stride()) {
    const float value = to_float(x[i]);
    dx[i] = from_float<T>(to_float(dy[i]) * (normal_cdf(value) + value * normal_pdf(value)));
  }
}

}  // namespace

// ---- entry points ----

void gelu(const Tensor& x, Tensor& y) {
  for_floating("gelu", x.dtype(), [&]<typename T>() {
    launch("gelu_kernel", gelu_kernel<T>, over(x.size(), x.device()), x.device(), x.size(), x.data<T>(), y.data<T>());
  });
}

void gelu_backward(const Tensor& x, const Tensor& dy, Tensor& dx) {
  for_floating("gelu_backward", x.dtype(), [&]<typename T>() {
    launch("gelu_backward_kernel", gelu_backward_kernel<T>, over(x.size(), x.device()), x.device(), x.size(), x.data<T>(),
           dy.data<T>(), dx.data<T>());
  });
}

}  // namespace avs::cuda
