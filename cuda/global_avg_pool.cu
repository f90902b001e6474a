// The mean over all pixels on CUDA. Memory bound: forward reads x, backward writes dx, once. A thread takes N channels
// of an image and loops over its pixels.
#include <algorithm>

#include "cuda/column_sum.cuh"
#include "cuda/types.h"
#include "tensor/ops/global_avg_pool.h"

namespace avs::cuda {
namespace {

struct Images {
  int64_t n, pixels, c, pixels_per_block;
};

// ---- kernels ----

template <typename T, int N>
__global__ void __launch_bounds__(kBlock, on_sm_120(5))
    global_avg_pool_kernel(Images in, const T* __restrict__ x, T* __restrict__ y) {
  const int64_t column = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * N;
  const float share = 1.0f / static_cast<float>(in.pixels);
  for (int64_t image = blockIdx.y; image < in.n; image += gridDim.y) {
    float sums[N] = {};
    if (column < in.c) {
      const T* const from = x + image * in.pixels * in.c + column;
#pragma unroll 4
      for (int64_t pixel = threadIdx.y; pixel < in.pixels; pixel += blockDim.y) {
        const Pack<T, N> pack = load_pack<N>(from + pixel * in.c);
#pragma unroll
        for (int k = 0; k < N; ++k) sums[k] += to_float(pack.at[k]);
      }
    }
    sum_down(sums);
    if (threadIdx.y != 0 || column >= in.c) continue;
    Pack<T, N> out;
#pragma unroll
    for (int k = 0; k < N; ++k) out.at[k] = from_float<T>(sums[k] * share);
    store_pack(y + image * in.c + column, out);
  }
}

template <typename T, int N>
__global__ void __launch_bounds__(kBlock)
    global_avg_pool_backward_kernel(Images in, const T* __restrict__ dy, T* __restrict__ dx) {
  const int64_t column = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * N;
  if (column >= in.c) return;
  const float share = 1.0f / static_cast<float>(in.pixels);
  const int64_t first = int64_t{blockIdx.z} * in.pixels_per_block, last = min(in.pixels, first + in.pixels_per_block);
  for (int64_t image = blockIdx.y; image < in.n; image += gridDim.y) {
    Pack<T, N> each = load_pack<N>(dy + image * in.c + column);
#pragma unroll
    for (int k = 0; k < N; ++k) each.at[k] = from_float<T>(to_float(each.at[k]) * share);
    for (int64_t pixel = first + threadIdx.y; pixel < last; pixel += blockDim.y)
      store_pack(dx + (image * in.pixels + pixel) * in.c + column, each);
  }
}

// ---- on the host ----

struct Deal {
  Images images;
  Grid grid;  // x: tiles of channels, y: images, z: parts of the pixels
};

enum class Pixels : uint8_t { InOneBlock, Shared };  // InOneBlock: one block computes a whole sum

Deal deal_out(const Shape& x, int width, Pixels pixels) {
  constexpr int64_t kMaxBlocks = 65535;  // along y and z
  const auto [n, h, w, c] = as_nhwc(x);
  const ColumnCut cut = cut_columns(h * w, c, width);
  const int64_t most = blocks_for(h * w, kMaxBlocks);
  const int64_t per_block = pixels == Pixels::InOneBlock ? h * w : std::max(cut.rows_per_block, most);
  return {.images = {n, h * w, c, per_block},
          .grid = {.blocks = dim3(static_cast<unsigned>(cut.tiles), static_cast<unsigned>(std::min(n, kMaxBlocks)),
                                  static_cast<unsigned>(blocks_for(h * w, per_block))),
                   .threads = cut.threads}};
}

template <typename T, typename Run, typename... Pointers>
void in_packs(int64_t c, Run&& run, const Pointers*... data) {
  constexpr int N = 16 / sizeof(T);
  packs<N>(c, data...) ? run.template operator()<N>() : run.template operator()<1>();
}

}  // namespace

// ---- entry points ----

void global_avg_pool(const Tensor& x, Tensor& y) {
  for_floating("global_avg_pool", x.dtype(), [&]<typename T>() {
    const auto run = [&]<int N>() {
      const Deal deal = deal_out(x.shape(), N, Pixels::InOneBlock);
      launch("global_avg_pool_kernel", global_avg_pool_kernel<T, N>, deal.grid, x.device(), deal.images, x.data<T>(),
             y.data<T>());
    };
    in_packs<T>(x.shape()[-1], run, x.data<T>(), y.data<T>());
  });
}

void global_avg_pool_backward(const Tensor& dy, Tensor& dx) {
  for_floating("global_avg_pool_backward", dy.dtype(), [&]<typename T>() {
    const auto run = [&]<int N>() {
      const Deal deal = deal_out(dx.shape(), N, Pixels::Shared);
      launch("global_avg_pool_backward_kernel", global_avg_pool_backward_kernel<T, N>, deal.grid, dy.device(),
             deal.images, dy.data<T>(), dx.data<T>());
    };
    in_packs<T>(dx.shape()[-1], run, dy.data<T>(), dx.data<T>());
  });
}

}  // namespace avs::cuda
