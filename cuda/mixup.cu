// Mixup on CUDA: memory bound, 12 bytes an element in f32, 4 from pixels to 16 bits, with or without a network's scale
// and shift on the way. Samples that are copied read one source only.
#include "cuda/elementwise.cuh"
#include "cuda/types.h"
#include "tensor/ops/mixup.h"

namespace avs::cuda {
namespace {

struct Mix {
  int64_t m, sample, c;
  const int32_t *first, *second;
  const float* lambda;
  const float *scale, *shift;  // null: values leave as they are
};

template <int N, typename T, typename To>
__global__ void __launch_bounds__(kBlock) mixup_kernel(Mix mix, const T* __restrict__ x, To* __restrict__ y) {
  const int64_t step = item_stride() * N % mix.c, begin = first_item() * N % mix.c;
  for (int64_t r = blockIdx.y; r < mix.m; r += gridDim.y) {
    const float weight = mix.lambda[r], rest = 1.0f - weight;
    const T *const a = x + mix.first[r] * mix.sample, *const b = x + mix.second[r] * mix.sample;
    To* const to = y + r * mix.sample;
    int64_t channel = begin;
    for (int64_t i = first_item(); i * N < mix.sample; i += item_stride()) {
      const Pack<T, N> left = load_pack<N>(a + i * N);
      float value[N];
#pragma unroll
      for (int k = 0; k < N; ++k) value[k] = to_float(left.at[k]);
      if (weight != 1.0f) {  // else a copy, whatever the other sample holds, NaN included
        const Pack<T, N> right = load_pack<N>(b + i * N);
#pragma unroll
        for (int k = 0; k < N; ++k) value[k] = weight * value[k] + rest * to_float(right.at[k]);
      }
      if (mix.scale != nullptr) {
        const Pack<float, N> scale = load_channels<N>(mix.scale, channel, mix.c),
                             shift = load_channels<N>(mix.shift, channel, mix.c);
#pragma unroll
        for (int k = 0; k < N; ++k) value[k] = scale.at[k] * value[k] + shift.at[k];
        channel += step;
        if (channel >= mix.c) channel -= mix.c;
      }
      Pack<To, N> out;
#pragma unroll
      for (int k = 0; k < N; ++k) out.at[k] = from_float<To>(value[k]);
      store_pack(to + i * N, out);
    }
  }
}

template <typename T, typename To>
void mix_as(const Mix& mix, const T* x, To* y, Device device) {
  constexpr int64_t kMostRows = 65535;  // a grid's extent along y
  const auto run = [&](auto kernel, int64_t width) {
    Grid grid = over(blocks_for(mix.sample, width), device);
    grid.blocks.y = static_cast<unsigned>(std::min(mix.m, kMostRows));
    launch("mixup", kernel, grid, device, mix, x, y);
  };
  packs<4>(mix.sample, x, y) ? run(mixup_kernel<4, T, To>, 4) : run(mixup_kernel<1, T, To>, 1);
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

void mixup(const Tensor& x, const Tensor& first, const Tensor& second, const Tensor& lambda, const MixupOutput& output,
           Tensor& y) {
  if (y.size() == 0) return;
  const bool scaled = output.scale.defined();
  const Mix mix{.m = y.shape()[0],
                .sample = y.size() / y.shape()[0],
                .c = scaled ? y.shape()[-1] : 1,
                .first = first.data<int32_t>(),
                .second = second.data<int32_t>(),
                .lambda = lambda.data<float>(),
                .scale = scaled ? output.scale.data<float>() : nullptr,
                .shift = scaled ? output.shift.data<float>() : nullptr};
  for_floating("mixup", y.dtype(), [&]<typename To>() {
    x.dtype() == DType::U8 ? mix_as(mix, x.data<uint8_t>(), y.data<To>(), x.device())
                           : mix_as(mix, x.data<float>(), y.data<To>(), x.device());
  });
}

void mixup_backward(const Tensor& dy, const Tensor& first, const Tensor& second, const Tensor& lambda, Tensor& dx) {
  if (dx.size() == 0) return;
  launch("mixup_backward", mixup_backward_kernel, over(dx.size(), dx.device()), dx.device(), dx.size(),
         dx.size() / dx.shape()[0], lambda.size(), dy.data<float>(), first.data<int32_t>(), second.data<int32_t>(),
         lambda.data<float>(), dx.data<float>());
}

}  // namespace avs::cuda
