// Mixup on CUDA: memory bound, 12 bytes an element (6 from pixels). Samples that are copied read one source only.
#include "cuda/device.cuh"
#include "tensor/ops/mixup.h"

namespace avs::cuda {
namespace {

template <int N, typename T>
__global__ void __launch_bounds__(kBlock)
    mixup_kernel(int64_t m, int64_t sample, const T* __restrict__ x, const int32_t* __restrict__ first,
                 const int32_t* __restrict__ second, const float* __restrict__ lambda, float* __restrict__ y) {
  for (int64_t r = blockIdx.y; r < m; r += gridDim.y) {
    const float weight = lambda[r], rest = 1.0f - weight;
    const T *const a = x + first[r] * sample, *const b = x + second[r] * sample;
    float* const to = y + r * sample;
    for (int64_t i = first_item(); i * N < sample; i += item_stride()) {
      const Pack<T, N> left = load_pack<N>(a + i * N);
      Pack<float, N> out;
#pragma unroll
      for (int k = 0; k < N; ++k) out.at[k] = to_float(left.at[k]);
      if (weight != 1.0f) {  // else a copy, whatever the other sample holds, NaN included
        const Pack<T, N> right = load_pack<N>(b + i * N);
#pragma unroll
        for (int k = 0; k < N; ++k) out.at[k] = weight * out.at[k] + rest * to_float(right.at[k]);
      }
      store_pack(to + i * N, out);
    }
  }
}

// A thread to an element of dx asks every row of dy whether it came from here: batches are a few hundred rows, and a sum
// in the order of m needs no atomics. Bound by the m indices (12 bytes each, from cache) that each element reads.
__global__ void __launch_bounds__(kBlock)
    mixup_backward_kernel(int64_t count, int64_t width, int64_t m, const float* __restrict__ dy,
                          const int32_t* __restrict__ first, const int32_t* __restrict__ second,
                          const float* __restrict__ lambda, float* __restrict__ dx) {
  for (int64_t i = first_item(); i < count; i += item_stride()) {
    const int64_t row = i / width, column = i % width;
    float sum = 0.0f;
    for (int64_t k = 0; k < m; ++k) {
      if (first[k] == row) sum += lambda[k] * dy[k * width + column];
      if (second[k] == row) sum += (1.0f - lambda[k]) * dy[k * width + column];
    }
    dx[i] = sum;
  }
}

}  // namespace

void mixup(const Tensor& x, const Tensor& first, const Tensor& second, const Tensor& lambda, Tensor& y) {
  constexpr int64_t kMostRows = 65535;  // a grid's extent along y
  const int64_t m = y.shape()[0], sample = m == 0 ? 0 : y.size() / m;
  const auto run = [&]<int N, typename T>(const T* from) {
    Grid grid = over(blocks_for(sample, N), x.device());
    grid.blocks.y = static_cast<unsigned>(std::min(m, kMostRows));
    launch("mixup", mixup_kernel<N, T>, grid, x.device(), m, sample, from, first.data<int32_t>(),
           second.data<int32_t>(), lambda.data<float>(), y.data<float>());
  };
  const auto choose = [&](const auto* from) {
    packs<4>(sample, from, y.data<float>()) ? run.template operator()<4>(from) : run.template operator()<1>(from);
  };
  x.dtype() == DType::U8 ? choose(x.data<uint8_t>()) : choose(x.data<float>());
}

void mixup_backward(const Tensor& dy, const Tensor& first, const Tensor& second, const Tensor& lambda, Tensor& dx) {
  if (dx.size() == 0) return;
  launch("mixup_backward", mixup_backward_kernel, over(dx.size(), dx.device()), dx.device(), dx.size(),
         dx.size() / dx.shape()[0], lambda.size(), dy.data<float>(), first.data<int32_t>(), second.data<int32_t>(),
         lambda.data<float>(), dx.data<float>());
}

}  // namespace avs::cuda
