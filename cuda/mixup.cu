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

}  // namespace avs::cuda
