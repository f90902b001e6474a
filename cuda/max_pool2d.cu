// Max pooling on CUDA. Memory bound; forward reads x once from memory (overlapping windows hit the caches) and writes
// y. Backward has two passes: the first stores the position of each window's first max (a byte), the second gathers for
// each element of x the gradients of the windows whose max it is. It moves 2 elements of x, one of dy and two bytes an
// output.
#include "cuda/pool.cuh"
#include "cuda/types.h"

namespace avs::cuda {
namespace {

// ---- kernels ----

template <typename T, int N, int kSpan>
__global__ void __launch_bounds__(kBlock, 4)
    max_pool2d_kernel(Pool pool, PoolWork work, const T* __restrict__ x, T* __restrict__ y) {
  for_results<N>(work, [&](int q, int channel) {
    const Span columns = columns_of(pool, q);
    return [&pool, x, y, q, channel, columns](int64_t image, int p) {
      const Span rows = rows_of(pool, p);
      const T* const from = x + image * (pool.h * pool.w * pool.c) + channel;
      Pack<T, N> largest = load_pack<N>(from + (rows.first * pool.w + columns.first) * pool.c);
      for_window<kSpan>(rows, columns, [&](int row, int column, bool) {  // a repeated element changes nothing
        const Pack<T, N> pack = load_pack<N>(from + (row * pool.w + column) * pool.c);
#pragma unroll
        for (int k = 0; k < N; ++k)
          if (to_float(pack.at[k]) > to_float(largest.at[k])) largest.at[k] = pack.at[k];
      });
      store_pack(y + image * (pool.p * pool.q * pool.c) + (p * pool.q + q) * pool.c + channel, largest);
    };
  });
}

// The position of the first max, row-major in the whole window, padding included.
template <typename T, typename Index, int N, int kSpan>
__global__ void __launch_bounds__(kBlock, 4)
    max_position_kernel(Pool pool, PoolWork work, const T* __restrict__ x, Index* __restrict__ positions) {
  for_results<N>(work, [&](int q, int channel) {
    const Span columns = columns_of(pool, q);
    return [&pool, x, positions, q, channel, columns](int64_t image, int p) {
      const Span rows = rows_of(pool, p);
      const int top = p * pool.stride_h - pool.top, left = q * pool.stride_w - pool.left;
      const T* const from = x + image * (pool.h * pool.w * pool.c) + channel;
      const Pack<T, N> start = load_pack<N>(from + (rows.first * pool.w + columns.first) * pool.c);
      float largest[N];
      int where[N];
#pragma unroll
      for (int k = 0; k < N; ++k) {
        largest[k] = to_float(start.at[k]);
        where[k] = (rows.first - top) * pool.window_w + columns.first - left;
      }
      for_window<kSpan>(rows, columns, [&](int row, int column, bool) {  // a repeated element is not larger
        const Pack<T, N> pack = load_pack<N>(from + (row * pool.w + column) * pool.c);
        const int position = (row - top) * pool.window_w + column - left;
#pragma unroll
        for (int k = 0; k < N; ++k) {
          const bool larger = to_float(pack.at[k]) > largest[k];
          largest[k] = larger ? to_float(pack.at[k]) : largest[k];
          where[k] = larger ? position : where[k];
        }
      });
      Pack<Index, N> out;
#pragma unroll
      for (int k = 0; k < N; ++k) out.at[k] = static_cast<Index>(where[k]);
      store_pack(positions + image * (pool.p * pool.q * pool.c) + (p * pool.q + q) * pool.c + channel, out);
    };
  });
}

template <typename T, typename Index, int N, int kSpan>
__global__ void __launch_bounds__(kBlock, 4)
    max_pool2d_backward_kernel(Pool pool, PoolWork work, const Index* __restrict__ positions, const T* __restrict__ dy,
                               T* __restrict__ dx) {
  for_results<N>(work, [&](int column, int channel) {
    const Span qs = outputs_over(column, pool.stride_w, pool.left, pool.window_w, pool.q);
    return [&pool, positions, dy, dx, column, channel, qs](int64_t image, int row) {
      const Span ps = outputs_over(row, pool.stride_h, pool.top, pool.window_h, pool.p);
      const int64_t outputs = image * (pool.p * pool.q * pool.c) + channel;
      float sum[N] = {};
      for_window<kSpan>(ps, qs, [&](int p, int q, bool inside) {
        const int at = (p * pool.q + q) * pool.c;
        const Pack<Index, N> winners = load_pack<N>(positions + outputs + at);
        const Pack<T, N> upstream = load_pack<N>(dy + outputs + at);
        const int position =
            (row - p * pool.stride_h + pool.top) * pool.window_w + column - q * pool.stride_w + pool.left;
#pragma unroll
        for (int k = 0; k < N; ++k) sum[k] += inside && winners.at[k] == position ? to_float(upstream.at[k]) : 0.0f;
      });
      Pack<T, N> out;
#pragma unroll
      for (int k = 0; k < N; ++k) out.at[k] = from_float<T>(sum[k]);
      store_pack(dx + image * (pool.h * pool.w * pool.c) + (row * pool.w + column) * pool.c + channel, out);
    };
  });
}

// ---- on the host ----

template <typename T, typename Index, int N, int kForwardSpan, int kBackwardSpan>
void backward(const Pool& pool, int packs, const Tensor& x, const Tensor& dy, Tensor& positions, Tensor& dx) {
  auto* const at = static_cast<Index*>(positions.raw());
  const PoolLaunch forward = deal_out(pool.n, pool.p, pool.q, packs), gather = deal_out(pool.n, pool.h, pool.w, packs);
  launch("max_position_kernel", max_position_kernel<T, Index, N, kForwardSpan>, forward.grid, x.device(), pool,
         forward.work, x.data<T>(), at);
  launch("max_pool2d_backward_kernel", max_pool2d_backward_kernel<T, Index, N, kBackwardSpan>, gather.grid, x.device(),
         pool, gather.work, at, dy.data<T>(), dx.data<T>());
}

}  // namespace

// ---- entry points ----

void max_pool2d(const Tensor& x, Pool2dSpec spec, Tensor& y) {
  const Pool pool = make_pool("max_pool2d", x.shape(), y.shape(), spec);
  const int64_t span = std::max(spec.window_h, spec.window_w);
  for_floating("max_pool2d", x.dtype(), [&]<typename T>() {
    const auto run = [&]<int N, int kSpan>(int packs) {
      const PoolLaunch deal = deal_out(pool.n, pool.p, pool.q, packs);
      launch("max_pool2d_kernel", max_pool2d_kernel<T, N, kSpan>, deal.grid, x.device(), pool, deal.work, x.data<T>(),
             y.data<T>());
    };
    in_pool_packs<T, 3>(pool.c, span, run, x.data<T>(), y.data<T>());
  });
}

void max_pool2d_backward(const Tensor& x, const Tensor& dy, Pool2dSpec spec, Tensor& dx) {
  const Pool pool = make_pool("max_pool2d_backward", x.shape(), dy.shape(), spec);
  const bool bytes = spec.window_h * spec.window_w <= 256;
  Tensor positions = Tensor::empty(dy.shape(), bytes ? DType::U8 : DType::I32, x.device());
  // The unrolled form is for windows of three at stride two: at most two of them cover an element.
  const int64_t span = std::max(spec.window_h, spec.window_w);
  const int64_t over = std::max(blocks_for(spec.window_h, spec.stride_h), blocks_for(spec.window_w, spec.stride_w));
  for_floating("max_pool2d_backward", x.dtype(), [&]<typename T>() {
    if (!bytes) return backward<T, int32_t, 1, 0, 0>(pool, pool.c, x, dy, positions, dx);
    const auto run = [&]<int N, int kSpan>(int packs) {
      backward<T, uint8_t, N, kSpan, kSpan == 3 ? 2 : 0>(pool, packs, x, dy, positions, dx);
    };
    in_pool_packs<T, 3>(pool.c, over == 2 ? span : 0, run, x.data<T>(), dy.data<T>(), dx.data<T>());
  });
}

}  // namespace avs::cuda
