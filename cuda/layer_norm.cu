// Layer normalisation on CUDA. Memory bound; elements moved per element of x: forward 2 (x, y), backward 3 (x, dy, dx).
//
// Rows of up to kMaxChannels channels that allow vector loads stay in registers: 1 to 32 neighbouring lanes of a warp
// share a row, so that all lanes have work whatever c is. Backward also adds the gain and bias gradients in registers,
// row after row, and a second kernel adds the blocks' sums. Those registers leave room for one block of 12 warps on a
// multiprocessor (24 channels a lane; else 8 warps and more), and nothing is prefetched: in bf16, 36 KB are in flight
// while rows are read and none while they are summed; a GPU of 3 TB/s needs some 20 KB at all times. For other rows a
// warp reads the row again from the cache.
#include <algorithm>

#include "cuda/column_sum.cuh"
#include "cuda/types.h"
#include "tensor/ops/layer_norm.h"

namespace avs::cuda {
namespace {

constexpr int kMaxChannels = 1024;

// ---- rows in registers ----

// The rows of a warp: `lanes` lanes, a power of two, share a row of c channels.
struct Lanes {
  int64_t rows;
  int c, lanes;

  __device__ int lane() const { return static_cast<int>(threadIdx.x) % lanes; }
  __device__ int rows_per_block() const { return static_cast<int>(blockDim.x) / lanes; }
  __device__ int64_t row_after(int64_t first) const { return first + static_cast<int>(threadIdx.x) / lanes; }
  // The first channel of this lane's pack k; neighbouring lanes have neighbouring packs.
  template <int N>
  __device__ int channel(int k) const {
    return (k * lanes + lane()) * N;
  }
  __device__ float sum(float x) const {  // over the lanes of a row; the whole warp must call it
    for (int other = lanes / 2; other > 0; other /= 2) x += __shfl_xor_sync(kFullWarp, x, other);
    return x;
  }
};

// Loads values[c] as f32, from memory aligned only as f32; 0 past the end
template <int N, int K>
__device__ inline void load_channels(const Lanes& in, const float* __restrict__ from, float (&values)[K][N]) {
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const int channel = in.channel<N>(k);
#pragma unroll
    for (int i = 0; i < N; ++i) values[k][i] = channel < in.c ? from[channel + i] : 0.0f;
  }
}

template <typename T, int N, int K>
__global__ void __launch_bounds__(kBlock)
    layer_norm_kernel(Lanes in, const T* __restrict__ x, const float* __restrict__ gain, const float* __restrict__ bias,
                      float epsilon, T* __restrict__ y, float* __restrict__ means, float* __restrict__ inverse_stds) {
  const int64_t row = in.row_after(int64_t{blockIdx.x} * in.rows_per_block()), at = row * in.c;
  // Channels of this row; past the last row a lane only takes part in sums.
  const int inside = row < in.rows ? in.c : 0;
  float v[K][N], sum = 0, squares = 0;
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const int channel = in.channel<N>(k);
    const Pack<T, N> pack = channel < inside ? load_pack<N>(x + at + channel) : Pack<T, N>{};
#pragma unroll
    for (int i = 0; i < N; ++i) v[k][i] = to_float(pack.at[i]);
  }
#pragma unroll
  for (int k = 0; k < K; ++k)
#pragma unroll
    for (int i = 0; i < N; ++i) sum += v[k][i];
  const float share = 1.0f / static_cast<float>(in.c), mean = in.sum(sum) * share;
#pragma unroll
  for (int k = 0; k < K; ++k)
#pragma unroll
    for (int i = 0; i < N; ++i) {
      v[k][i] -= mean;
      squares += in.channel<N>(k) < in.c ? v[k][i] * v[k][i] : 0.0f;
    }
  const float inverse_std = 1.0f / sqrtf(in.sum(squares) * share + epsilon);
#pragma unroll
  for (int k = 0; k < K; ++k) {
    const int channel = in.channel<N>(k);
    if (channel >= inside) continue;
    Pack<T, N> out;
#pragma unroll
    for (int i = 0; i < N; ++i)
      out.at[i] = from_float<T>(v[k][i] * inverse_std * gain[channel + i] + bias[channel + i]);
    store_pack(y + at + channel, out);
  }
  if (inside == 0 || in.lane() != 0) return;
  means[row] = mean;
  inverse_stds[row] = inverse_std;
}

// Adds the lanes' values of each channel over the block, warp after warp, into sums[c].
template <int N, int K>
__device__ inline void add_over_block(const Lanes& in, float (&values)[K][N], float* sums) {
  const int warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll
  for (int k = 0; k < K; ++k)
#pragma unroll
    for (int i = 0; i < N; ++i)
      for (int other = in.lanes; other < 32; other *= 2)
        values[k][i] += __shfl_xor_sync(kFullWarp, values[k][i], other);
  for (int turn = 0; turn < static_cast<int>(blockDim.x) / 32; ++turn) {
    if (warp == turn && static_cast<int>(threadIdx.x) % 32 < in.lanes)
#pragma unroll
      for (int k = 0; k < K; ++k) {
        const int channel = in.channel<N>(k);
        if (channel >= in.c) continue;
#pragma unroll
        for (int i = 0; i < N; ++i) sums[channel + i] = values[k][i] + (turn == 0 ? 0.0f : sums[channel + i]);
      }
    __syncthreads();
  }
}

// 24 channels in a lane, with their sums and gains, take up to 168 registers: one block of 12 warps fits, but not two
// of 8. The min of one block is needed because ptxas otherwise plans for more with 12 channels on sm_86 and sm_89, and
// spills.
template <int kChannels>
constexpr int kBackwardThreads = kChannels == 24 ? 384 : 256;

// partial: [2, blocks, c], sums over this block's rows of dy * x_hat and of dy
template <typename T, int N, int K>
__global__ void __launch_bounds__(kBackwardThreads<K * N>, 1)
    layer_norm_backward_kernel(Lanes in, const T* __restrict__ x, const float* __restrict__ gain,
                               const float* __restrict__ means, const float* __restrict__ inverse_stds,
                               const T* __restrict__ dy, T* __restrict__ dx, float* __restrict__ partial) {
  __shared__ float block_sums[2][kMaxChannels];
  const float share = 1.0f / static_cast<float>(in.c);
  float gains[K][N], dgain[K][N] = {}, dbias[K][N] = {};
  load_channels(in, gain, gains);
  const int64_t step = int64_t{gridDim.x} * in.rows_per_block();
  // Every thread of a block runs the same iterations, also past the last row: sums need whole warps.
  for (int64_t first = int64_t{blockIdx.x} * in.rows_per_block(); first < in.rows; first += step) {
    const int64_t row = in.row_after(first), at = row * in.c;
    const int inside = row < in.rows ? in.c : 0;
    Pack<T, N> xs[K], ds[K];
#pragma unroll
    for (int k = 0; k < K; ++k) {
      const int channel = in.channel<N>(k);
      xs[k] = channel < inside ? load_pack<N>(x + at + channel) : Pack<T, N>{};
      ds[k] = channel < inside ? load_pack<N>(dy + at + channel) : Pack<T, N>{};
    }
    const float mean = inside != 0 ? means[row] : 0.0f, inverse_std = inside != 0 ? inverse_stds[row] : 0.0f;
    float sum_g = 0, sum_gx = 0;
#pragma unroll
    for (int k = 0; k < K; ++k)
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const float x_hat = (to_float(xs[k].at[i]) - mean) * inverse_std, d = to_float(ds[k].at[i]);
        dgain[k][i] += d * x_hat;
        dbias[k][i] += d;
        sum_g += d * gains[k][i];
        sum_gx += d * gains[k][i] * x_hat;
      }
    const float mean_g = in.sum(sum_g) * share, mean_gx = in.sum(sum_gx) * share;
#pragma unroll
    for (int k = 0; k < K; ++k) {
      if (in.channel<N>(k) >= inside) continue;
      Pack<T, N> out;
#pragma unroll
      for (int i = 0; i < N; ++i) {
        const float x_hat = (to_float(xs[k].at[i]) - mean) * inverse_std, g = to_float(ds[k].at[i]) * gains[k][i];
        out.at[i] = from_float<T>(inverse_std * (g - mean_g - x_hat * mean_gx));
      }
      store_pack(dx + at + in.channel<N>(k), out);
    }
  }
  add_over_block(in, dgain, block_sums[0]);
  add_over_block(in, dbias, block_sums[1]);
  for (int q = 0; q < 2; ++q)
    for (int channel = static_cast<int>(threadIdx.x); channel < in.c; channel += static_cast<int>(blockDim.x))
      partial[(int64_t{q} * gridDim.x + blockIdx.x) * in.c + channel] = block_sums[q][channel];
}

// ---- any row: one warp per row, which reads it several times ----

template <typename T>
__global__ void __launch_bounds__(kBlock)
    layer_norm_any_kernel(int64_t rows, int64_t c, const T* __restrict__ x, const float* __restrict__ gain,
                          const float* __restrict__ bias, float epsilon, T* __restrict__ y, float* __restrict__ means,
                          float* __restrict__ inverse_stds) {
  const int64_t row = first_item() / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const T* const from = x + row * c;
  const float share = 1.0f / static_cast<float>(c);
  float sum = 0, squares = 0;
  for (int64_t k = lane; k < c; k += 32) sum += to_float(from[k]);
  const float mean = warp_sum(sum) * share;
  for (int64_t k = lane; k < c; k += 32) squares += (to_float(from[k]) - mean) * (to_float(from[k]) - mean);
  const float inverse_std = 1.0f / sqrtf(warp_sum(squares) * share + epsilon);
  for (int64_t k = lane; k < c; k += 32)
    y[row * c + k] = from_float<T>((to_float(from[k]) - mean) * inverse_std * gain[k] + bias[k]);
  if (lane != 0) return;
  means[row] = mean;
  inverse_stds[row] = inverse_std;
}

template <typename T>
__global__ void __launch_bounds__(kBlock)
    layer_norm_any_backward_kernel(int64_t rows, int64_t c, const T* __restrict__ x, const float* __restrict__ gain,
                                   const float* __restrict__ means, const float* __restrict__ inverse_stds,
                                   const T* __restrict__ dy, T* __restrict__ dx) {
  const int64_t row = first_item() / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const float share = 1.0f / static_cast<float>(c), mean = means[row], inverse_std = inverse_stds[row];
  const auto x_hat = [&](int64_t k) { return (to_float(x[row * c + k]) - mean) * inverse_std; };
  const auto g = [&](int64_t k) { return to_float(dy[row * c + k]) * gain[k]; };
  float sum_g = 0, sum_gx = 0;
  for (int64_t k = lane; k < c; k += 32) {
    sum_g += g(k);
    sum_gx += g(k) * x_hat(k);
  }
  const float mean_g = warp_sum(sum_g) * share, mean_gx = warp_sum(sum_gx) * share;
  for (int64_t k = lane; k < c; k += 32)
    dx[row * c + k] = from_float<T>(inverse_std * (g(k) - mean_g - x_hat(k) * mean_gx));
}

template <typename T>
struct GradientTerm {  // summands of the gradients of gain and bias
  static constexpr int kSums = 2, kWidth = 1;
  const T *x, *dy;
  const float *means, *inverse_stds;
  int64_t c;

  __device__ void begin(int64_t) {}
  __device__ void add(int64_t row, int64_t column, float (&sums)[kSums][kWidth]) {
    const float d = to_float(dy[row * c + column]);
    sums[0][0] += d * (to_float(x[row * c + column]) - means[row]) * inverse_stds[row];
    sums[1][0] += d;
  }
};

// ---- on the host ----

// Calls run<N, K>(lanes); the rows must fit into registers. Uses the fewest lanes, up to 32, that hold a row in three
// packs each: ConvNeXt's widths, 96 to 768, fill all three (f32 at 768: six packs on 32 lanes).
template <typename T, typename Run>
void in_registers(int64_t rows, int64_t c, Run&& run) {
  constexpr int N = 16 / sizeof(T), kMaxPacks = kMaxChannels / N / 32;
  const int64_t packs = c / N;
  int lanes = 1;
  while (lanes < 32 && lanes * 3 < packs) lanes *= 2;
  const Lanes in{rows, static_cast<int>(c), lanes};
  if (packs <= lanes * 3) return run.template operator()<N, 3>(in);
  if constexpr (kMaxPacks > 6)
    if (packs <= lanes * 6) return run.template operator()<N, 6>(in);
  run.template operator()<N, kMaxPacks>(in);
}

template <typename T, typename... Pointers>
bool fits_registers(int64_t c, const Pointers*... data) {
  return c <= kMaxChannels && packs<16 / sizeof(T)>(c, data...);
}

Grid grid_of(int64_t blocks, int threads = kBlock) {
  return {.blocks = dim3(static_cast<unsigned>(blocks)), .threads = dim3(static_cast<unsigned>(threads))};
}

}  // namespace

// ---- entry points ----

void layer_norm(const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon, LayerNormResult& result) {
  const int64_t c = x.shape()[-1], rows = x.size() / c;
  const float *g = gain.data<float>(), *b = bias.data<float>();
  float *mean = result.mean.data<float>(), *inverse_std = result.inverse_std.data<float>();
  for_floating("layer_norm", x.dtype(), [&]<typename T>() {
    const T* const from = x.data<T>();
    T* const y = result.y.data<T>();
    if (!fits_registers<T>(c, from, y))
      return launch("layer_norm_any_kernel", layer_norm_any_kernel<T>, grid_of(blocks_for(rows, kBlock / 32)),
                    x.device(), rows, c, from, g, b, epsilon, y, mean, inverse_std);
    in_registers<T>(rows, c, [&]<int N, int K>(const Lanes& in) {
      launch("layer_norm_kernel", layer_norm_kernel<T, N, K>, grid_of(blocks_for(rows, kBlock / in.lanes)), x.device(),
             in, from, g, b, epsilon, y, mean, inverse_std);
    });
  });
}

void layer_norm_backward(const Tensor& x, const Tensor& gain, const Tensor& mean, const Tensor& inverse_std,
                         const Tensor& dy, LayerNormGradients& gradients) {
  // One or two on each multiprocessor of a large GPU; each writes 8 bytes a channel.
  constexpr int64_t kMaxBlocks = 256;
  const int64_t c = x.shape()[-1], rows = x.size() / c;
  const float *g = gain.data<float>(), *means = mean.data<float>(), *inverse_stds = inverse_std.data<float>();
  const ColumnSums<2> totals{{gradients.dgain.data<float>(), gradients.dbias.data<float>()}};
  for_floating("layer_norm_backward", x.dtype(), [&]<typename T>() {
    const T *from = x.data<T>(), *upstream = dy.data<T>();
    T* const dx = gradients.dx.data<T>();
    if (!fits_registers<T>(c, from, upstream, dx)) {
      launch("layer_norm_any_backward_kernel", layer_norm_any_backward_kernel<T>,
             grid_of(blocks_for(rows, kBlock / 32)), x.device(), rows, c, from, g, means, inverse_stds, upstream, dx);
      return sum_columns("layer_norm_gradients", rows, c, x.device(),
                         GradientTerm<T>{from, upstream, means, inverse_stds, c}, totals);
    }
    in_registers<T>(rows, c, [&]<int N, int K>(const Lanes& in) {
      constexpr int kThreads = kBackwardThreads<K * N>;
      // at least one: the sums over no rows are 0
      const int64_t parts = std::clamp<int64_t>(blocks_for(rows, kThreads / in.lanes), 1, kMaxBlocks);
      Tensor partial = Tensor::empty({2, parts, c}, DType::F32, x.device());
      launch("layer_norm_backward_kernel", layer_norm_backward_kernel<T, N, K>, grid_of(parts, kThreads), x.device(),
             in, from, g, means, inverse_stds, upstream, dx, partial.data<float>());
      add_partial_sums(partial, parts, c, totals);
    });
  });
}

}  // namespace avs::cuda
