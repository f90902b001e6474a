// Mixup on CUDA: memory bound, 12 bytes an element. Rows that are copied read one source only.
#include "cuda/elementwise.cuh"
#include "tensor/ops/mixup.h"

namespace avs::cuda {
namespace {

template <int N>
__global__ void __launch_bounds__(kBlock)
    mixup_kernel(int64_t m, int64_t sample, const int32_t* __restrict__ first, const int32_t* __restrict__ second,
                 const float* __restrict__ lambda, const float* __restrict__ x, float* __restrict__ y) {
  for (int64_t r = blockIdx.y; r < m; r += gridDim.y) {
    const float weight = lambda[r], rest = 1.0f - weight;
    const float *const a = x + first[r] * sample, *const b = x + second[r] * sample;
    for (int64_t i = first_item(); i * N < sample; i += item_stride()) {
      Pack<float, N> value = load_pack<N>(a + i * N);
      if (weight != 1.0f) {  // else a copy, whatever the other sample holds, NaN included
        const Pack<float, N> right = load_pack<N>(b + i * N);
#pragma unroll
        for (int k = 0; k < N; ++k) value.at[k] = weight * value.at[k] + rest * right.at[k];
      }
      store_pack(y + r * sample + i * N, value);
    }
  }
}

// A thread to an element of dx reads the whole plan: batches are a few hundred rows, and a sum in the order of m needs no
// atomics. Bound by the m indices (12 bytes each, from cache) that each element reads.
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

void mixup(const Tensor& x, const MixupPlan& plan, Tensor& y) {
  if (y.size() == 0) return;
  constexpr int64_t kMaxRows = 65535;  // a grid's extent along y
  const int64_t m = y.shape()[0], sample = y.size() / m;
  const auto run = [&](auto kernel, int64_t width) {
    Grid grid = over(blocks_for(sample, width), y.device());
    grid.blocks.y = static_cast<unsigned>(std::min(m, kMaxRows));
    launch("mixup", kernel, grid, y.device(), m, sample, plan.first.data<int32_t>(), plan.second.data<int32_t>(),
           plan.lambda.data<float>(), x.data<float>(), y.data<float>());
  };
  packs<4>(sample, x.data<float>(), y.data<float>()) ? run(mixup_kernel<4>, 4) : run(mixup_kernel<1>, 1);
}

void mixup_backward(const Tensor& dy, const MixupPlan& plan, Tensor& dx) {
  if (dx.size() == 0) return;
  launch("mixup_backward", mixup_backward_kernel, over(dx.size(), dx.device()), dx.device(), dx.size(),
         dx.size() / dx.shape()[0], plan.rows(), dy.data<float>(), plan.first.data<int32_t>(),
         plan.second.data<int32_t>(), plan.lambda.data<float>(), dx.data<float>());
}

}  // namespace avs::cuda
