// A constant into every element. Memory bound: one element written.
#include "cuda/api.h"
#include "cuda/device.cuh"
#include "cuda/types.h"

namespace avs::cuda {
namespace {

template <typename T>
__global__ void fill_kernel(int64_t n, float value, T* __restrict__ x) {
  for (int64_t i = first_item(); i < n; i += item_stride()) x[i] = from_float<T>(value);
}

}  // namespace

void fill(Tensor& x, float value) {
  for_floating("fill", x.dtype(), [&]<typename T>() {
    launch("fill_kernel", fill_kernel<T>, over(x.size(), x.device()), x.device(), x.size(), value, x.data<T>());
  });
}

}  // namespace avs::cuda
