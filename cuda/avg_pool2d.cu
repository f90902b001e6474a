// Average pooling on CUDA. Memory bound: forward reads x and writes y, backward reads dy and writes dx, each once from
// memory (overlapping windows hit the caches). Backward gathers: each element of dx sums over the windows that contain
// it.
#include "cuda/pool.cuh"
#include "cuda/types.h"
#include "tensor/ops/avg_pool2d.h"

namespace avs::cuda {
namespace {

// 1 / the number of positions that the window's mean counts
__device__ inline float weight_of(const Pool& pool, Span rows, Span columns, PoolPadding counting) {
  const int count = counting == PoolPadding::Counted ? pool.window_h * pool.window_w : rows.extent() * columns.extent();
  return 1.0f / static_cast<float>(count);
}

// ---- kernels ----

template <typename T, int N, int kSpan>
__global__ void __launch_bounds__(kBlock, 4)
    avg_pool2d_kernel(Pool pool, PoolWork work, PoolPadding counting, const T* __restrict__ x, T* __restrict__ y) {
  for_results<N>(work, [&](int q, int channel) {
    const Span columns = columns_of(pool, q);
    return [&pool, counting, x, y, q, channel, columns](int64_t image, int p) {
      const Span rows = rows_of(pool, p);
      const T* const from = x + image * (pool.h * pool.w * pool.c) + channel;
      float sum[N] = {};
      for_window<kSpan>(rows, columns, [&](int row, int column, bool inside) {
        const Pack<T, N> pack = load_pack<N>(from + (row * pool.w + column) * pool.c);
#pragma unroll
        for (int k = 0; k < N; ++k) sum[k] += inside ? to_float(pack.at[k]) : 0.0f;
      });
      const float weight = weight_of(pool, rows, columns, counting);
      Pack<T, N> out;
#pragma unroll
      for (int k = 0; k < N; ++k) out.at[k] = from_float<T>(sum[k] * weight);
      store_pack(y + image * (pool.p * pool.q * pool.c) + (p * pool.q + q) * pool.c + channel, out);
    };
  });
}

template <typename T, int N, int kSpan>
__global__ void __launch_bounds__(kBlock, 4) avg_pool2d_backward_kernel(Pool pool, PoolWork work, PoolPadding counting,
                                                                        const T* __restrict__ dy, T* __restrict__ dx) {
  for_results<N>(work, [&](int column, int channel) {
    const Span qs = outputs_over(column, pool.stride_w, pool.left, pool.window_w, pool.q);
    return [&pool, counting, dy, dx, column, channel, qs](int64_t image, int row) {
      const Span ps = outputs_over(row, pool.stride_h, pool.top, pool.window_h, pool.p);
      const T* const from = dy + image * (pool.p * pool.q * pool.c) + channel;
      float sum[N] = {};
      for_window<kSpan>(ps, qs, [&](int p, int q, bool inside) {
        const Pack<T, N> pack = load_pack<N>(from + (p * pool.q + q) * pool.c);
        const float weight = weight_of(pool, rows_of(pool, p), columns_of(pool, q), counting);
#pragma unroll
        for (int k = 0; k < N; ++k) sum[k] += inside ? weight * to_float(pack.at[k]) : 0.0f;
      });
      Pack<T, N> out;
#pragma unroll
      for (int k = 0; k < N; ++k) out.at[k] = from_float<T>(sum[k]);
      store_pack(dx + image * (pool.h * pool.w * pool.c) + (row * pool.w + column) * pool.c + channel, out);
    };
  });
}

}  // namespace

// ---- entry points ----

void avg_pool2d(const Tensor& x, Pool2dSpec spec, PoolPadding counting, Tensor& y) {
  const Pool pool = make_pool("avg_pool2d", x.shape(), y.shape(), spec);
  for_floating("avg_pool2d", x.dtype(), [&]<typename T>() {
    const auto run = [&]<int N, int kSpan>(int packs) {
      const PoolLaunch deal = deal_out(pool.n, pool.p, pool.q, packs);
      launch("avg_pool2d_kernel", avg_pool2d_kernel<T, N, kSpan>, deal.grid, x.device(), pool, deal.work, counting,
             x.data<T>(), y.data<T>());
    };
    in_pool_packs<T, 2, 3>(pool.c, std::max(spec.window_h, spec.window_w), run, x.data<T>(), y.data<T>());
  });
}

void avg_pool2d_backward(const Tensor& dy, Pool2dSpec spec, PoolPadding counting, Tensor& dx) {
  const Pool pool = make_pool("avg_pool2d_backward", dx.shape(), dy.shape(), spec);
  const int64_t over = std::max(blocks_for(spec.window_h, spec.stride_h), blocks_for(spec.window_w, spec.stride_w));
  for_floating("avg_pool2d_backward", dy.dtype(), [&]<typename T>() {
    const auto run = [&]<int N, int kSpan>(int packs) {
      const PoolLaunch deal = deal_out(pool.n, pool.h, pool.w, packs);
      launch("avg_pool2d_backward_kernel", avg_pool2d_backward_kernel<T, N, kSpan>, deal.grid, dy.device(), pool,
             deal.work, counting, dy.data<T>(), dx.data<T>());
    };
    in_pool_packs<T, 1, 3>(pool.c, over, run, dy.data<T>(), dx.data<T>());
  });
}

}  // namespace avs::cuda
