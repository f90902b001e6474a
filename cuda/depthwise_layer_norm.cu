// Depthwise 7x7 convolution, bias and layer normalisation on CUDA, in one kernel: the registers of one block hold all
// channels of a pixel, so the block normalises its own results. Three elements moved (12 bytes in f32) for 49
// multiply-adds; bound by the issue rate of instructions, like the convolution alone: 43 % are multiply-adds (bf16,
// sm_90).
//
// Backward first computes the normalisation's gradient and the sums for gain and biases in one pass (three elements
// moved: dy, x_hat and the convolution's gradient), then both gradients of depthwise_conv2d.cu.
#include <algorithm>

#include "cuda/column_sum.cuh"
#include "cuda/depthwise.cuh"
#include "cuda/types.h"
#include "tensor/ops/depthwise_conv2d.h"
#include "tensor/ops/depthwise_layer_norm.h"

namespace avs::cuda {
namespace {

// ---- sums of several values over the warps of a group ----

// Lane l gets the warp's sum of values[l * N / 32]. Each step halves the number of values per lane: 31 shuffles for 32
// values, where one warp sum after the other takes 160. N is a power of two.
template <int N, int kHalf = N / 2>
__device__ inline float warp_sums(float (&values)[N]) {
  if constexpr (kHalf > 0) {
    constexpr int kDistance = kHalf * 32 / N;
    const bool upper = (threadIdx.x & kDistance) != 0;
#pragma unroll
    for (int i = 0; i < kHalf; ++i) {
      const float keep = upper ? values[kHalf + i] : values[i], give = upper ? values[i] : values[kHalf + i];
      values[i] = keep + __shfl_xor_sync(kFullWarp, give, kDistance);
    }
    return warp_sums<N, kHalf / 2>(values);
  } else {
#pragma unroll
    for (int distance = 32 / N / 2; distance > 0; distance /= 2)
      values[0] += __shfl_xor_sync(kFullWarp, values[0], distance);
    return values[0];
  }
}

// The same over `warps` warps from first_warp on. All threads of the block must call it; `partial` may be overwritten
// after the block's next barrier.
template <int N>
__device__ inline float group_sums(float (&values)[N], float (*partial)[N], int first_warp, int warps) {
  const float own = warp_sums(values);
  if (warps == 1) return own;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32, which = lane * N / 32;
  if (lane % (32 / N) == 0) partial[warp][which] = own;
  __syncthreads();
  float sum = 0;
  for (int other = first_warp; other < first_warp + warps; ++other) sum += partial[other][which];
  return sum;
}
template <int N>
__device__ inline float broadcast(float sums, int which) {
  return __shfl_sync(kFullWarp, sums, which * (32 / N));
}

// ---- forward ----

// A group of `warps` warps computes a tile; a thread has kChannels channels, 32 * warps apart. A taller tile (kRows)
// reads fewer inputs twice; more channels per thread let fewer threads hold a wide pixel. Registers limit kRows *
// kChannels.
template <typename T, int kRows, int kChannels, int kMaxWarps>
__global__ void __launch_bounds__(kMaxWarps * 32)
    depthwise_layer_norm_kernel(DepthwiseProblem d, int64_t tiles, int tiles_per_block, int warps,
                                const T* __restrict__ x, const float* __restrict__ filter,
                                const float* __restrict__ conv_bias, const float* __restrict__ gain,
                                const float* __restrict__ bias, float epsilon, T* __restrict__ y, T* __restrict__ x_hat,
                                float* __restrict__ inverse_std) {
  constexpr int kPixels = kRows * kColumns, kSums = kPixels > 16 ? 32 : 16;
  __shared__ float partial[2][kMaxWarps][kSums];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int first_warp = warp / warps * warps;
  const int64_t index = int64_t{blockIdx.x} * tiles_per_block + warp / warps;
  const int64_t channel = (warp - first_warp) * 32 + lane, step = warps * 32;
  // channels of this thread
  const int channels = index < tiles ? clamped((d.c - channel + step - 1) / step, kChannels) : 0;
  const DepthwiseTile tile = tile_at<kRows>(d, index);

  float value[kChannels][kRows][kColumns] = {}, sums[kSums] = {};
#pragma unroll
  for (int m = 0; m < kChannels; ++m) {
    if (m >= channels) continue;
    const int64_t j = channel + m * step;
    const float shift = conv_bias[j];
#pragma unroll
    for (int i = 0; i < kPixels; ++i) value[m][i / kColumns][i % kColumns] = shift;
    convolve_tile(d, tile, x + tile.image * d.h * d.w * d.c + j, filter + j, static_cast<int>(d.c), value[m]);
#pragma unroll
    for (int i = 0; i < kPixels; ++i) sums[i] += value[m][i / kColumns][i % kColumns];
  }
  const float share = 1.0f / static_cast<float>(d.c), mean = group_sums(sums, partial[0], first_warp, warps) * share;
#pragma unroll
  for (int i = 0; i < kSums; ++i) {
    sums[i] = 0;
    if (i >= kPixels) continue;
    const float centre = broadcast<kSums>(mean, i);
#pragma unroll
    for (int m = 0; m < kChannels; ++m) {
      float& v = value[m][i / kColumns][i % kColumns];
      v -= centre;
      if (m < channels) sums[i] += v * v;
    }
  }
  const float inverse = rsqrtf(group_sums(sums, partial[1], first_warp, warps) * share + epsilon);

  const int rows = clamped(d.p - tile.row, kRows), columns = clamped(d.q - tile.column, kColumns);
  const int64_t pixel = (tile.image * d.p + tile.row) * d.q + tile.column;
  const int own_pixel = lane * kSums / 32;  // the pixel whose sums this lane has
  if (index < tiles && warp == first_warp && lane % (32 / kSums) == 0 && own_pixel / kColumns < rows &&
      own_pixel % kColumns < columns)
    inverse_std[pixel + own_pixel / kColumns * d.q + own_pixel % kColumns] = inverse;
#pragma unroll
  for (int i = 0; i < kPixels; ++i) {
    const int k = i / kColumns, t = i % kColumns;
    const float of_pixel = broadcast<kSums>(inverse, i);
#pragma unroll
    for (int m = 0; m < kChannels; ++m) {
      if (m >= channels || k >= rows || t >= columns) continue;
      const int64_t j = channel + m * step, at = (pixel + k * d.q + t) * d.c + j;
      const float hat = value[m][k][t] * of_pixel;
      x_hat[at] = from_float<T>(hat);
      y[at] = from_float<T>(gain[j] * hat + bias[j]);
    }
  }
}

// Any number of channels: x_hat holds the convolution's output on entry. One block per pixel.
template <typename T>
__global__ void __launch_bounds__(kBlock)
    normalise_kernel(int64_t pixels, int64_t c, const float* __restrict__ gain, const float* __restrict__ bias,
                     float epsilon, T* __restrict__ y, T* __restrict__ x_hat, float* __restrict__ inverse_std) {
  const float share = 1.0f / static_cast<float>(c);
  for (int64_t pixel = blockIdx.x; pixel < pixels; pixel += gridDim.x) {
    T *const hat = x_hat + pixel * c, *const to = y + pixel * c;
    float sum = 0, squares = 0;
    for (int64_t j = threadIdx.x; j < c; j += kBlock) sum += to_float(hat[j]);
    const float mean = block_sum(sum) * share;
    for (int64_t j = threadIdx.x; j < c; j += kBlock) {
      const float distance = to_float(hat[j]) - mean;
      squares += distance * distance;
    }
    const float inverse = rsqrtf(block_sum(squares) * share + epsilon);
    if (threadIdx.x == 0) inverse_std[pixel] = inverse;
    for (int64_t j = threadIdx.x; j < c; j += kBlock) {
      const float value = (to_float(hat[j]) - mean) * inverse;
      hat[j] = from_float<T>(value);
      to[j] = from_float<T>(gain[j] * value + bias[j]);
    }
  }
}

// ---- backward ----

template <int N>
struct Pixels {  // a thread's N channels of several pixels
  static constexpr int kCount = 4;
  float dy[kCount][N] = {}, x_hat[kCount][N] = {};
};

// A group of `warps` warps takes a part of the pixels, kCount at a time; each of its threads takes kWidth channels.
// partial: [3, parts, c], the sums for gain, bias and the convolution's bias.
template <typename T, int kWidth>
__global__ void __launch_bounds__(512)
    normalise_backward_kernel(int64_t pixels, int64_t c, int64_t parts, int64_t pixels_per_part, int warps,
                              const T* __restrict__ dy, const T* __restrict__ x_hat,
                              const float* __restrict__ inverse_std, const float* __restrict__ gain,
                              T* __restrict__ dconv, float* __restrict__ partial) {
  constexpr int kCount = Pixels<kWidth>::kCount, kSums = 2 * kCount;
  __shared__ float of_warp[2][16][kSums];
  const int warp = static_cast<int>(threadIdx.x) / 32, group = warp / warps, first_warp = group * warps;
  const int64_t channel = (int64_t{threadIdx.x} - first_warp * 32) * kWidth;
  const int64_t part = int64_t{blockIdx.x} * (blockDim.x / 32 / static_cast<unsigned>(warps)) + group;
  const int64_t begin = part * pixels_per_part, end = min(pixels, begin + pixels_per_part);
  const bool active = channel < c;
  const float share = 1.0f / static_cast<float>(c);
  float scale[kWidth] = {}, dgain[kWidth] = {}, dbias[kWidth] = {}, dconv_bias[kWidth] = {};
  if (active)
#pragma unroll
    for (int j = 0; j < kWidth; ++j) scale[j] = gain[channel + j];
  // Every group of the block runs the same number of iterations, because all must reach the barriers.
  int buffer = 0;
  for (int64_t turn = 0; turn < pixels_per_part; turn += kCount, buffer ^= 1) {
    const int64_t first = begin + turn;
    Pixels<kWidth> p;
    float sums[kSums] = {};
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      if (!active || first + i >= end) continue;
      const auto upstream = load_pack<kWidth>(dy + (first + i) * c + channel);
      const auto hat = load_pack<kWidth>(x_hat + (first + i) * c + channel);
#pragma unroll
      for (int j = 0; j < kWidth; ++j) {
        p.dy[i][j] = to_float(upstream.at[j]);
        p.x_hat[i][j] = to_float(hat.at[j]);
        sums[2 * i] += p.dy[i][j] * scale[j];
        sums[2 * i + 1] += p.dy[i][j] * scale[j] * p.x_hat[i][j];
      }
    }
    const float means = group_sums(sums, of_warp[buffer], first_warp, warps) * share;
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const float mean_g = broadcast<kSums>(means, 2 * i), mean_g_x_hat = broadcast<kSums>(means, 2 * i + 1);
      if (!active || first + i >= end) continue;
      const float inverse = inverse_std[first + i];
      Pack<T, kWidth> to;
#pragma unroll
      for (int j = 0; j < kWidth; ++j) {
        const float gradient = inverse * (p.dy[i][j] * scale[j] - mean_g - p.x_hat[i][j] * mean_g_x_hat);
        to.at[j] = from_float<T>(gradient);
        dgain[j] += p.dy[i][j] * p.x_hat[i][j];
        dbias[j] += p.dy[i][j];
        dconv_bias[j] += gradient;
      }
      store_pack(dconv + (first + i) * c + channel, to);
    }
  }
  if (!active || part >= parts) return;
#pragma unroll
  for (int j = 0; j < kWidth; ++j) {
    partial[part * c + channel + j] = dgain[j];
    partial[(parts + part) * c + channel + j] = dbias[j];
    partial[(2 * parts + part) * c + channel + j] = dconv_bias[j];
  }
}

// Any number of channels: one block per part, which adds to its own partial sums in memory.
template <typename T>
__global__ void __launch_bounds__(kBlock)
    normalise_backward_any_kernel(int64_t pixels, int64_t c, int64_t parts, int64_t pixels_per_part,
                                  const T* __restrict__ dy, const T* __restrict__ x_hat,
                                  const float* __restrict__ inverse_std, const float* __restrict__ gain,
                                  T* __restrict__ dconv, float* __restrict__ partial) {
  const int64_t part = blockIdx.x, end = min(pixels, (part + 1) * pixels_per_part);
  const float share = 1.0f / static_cast<float>(c);
  float *const dgain = partial + part * c, *const dbias = dgain + parts * c, *const dconv_bias = dbias + parts * c;
  for (int64_t j = threadIdx.x; j < c; j += kBlock) dgain[j] = dbias[j] = dconv_bias[j] = 0;
  for (int64_t pixel = part * pixels_per_part; pixel < end; ++pixel) {
    const T *const upstream = dy + pixel * c, *const hat = x_hat + pixel * c;
    float g = 0, g_x_hat = 0;
    for (int64_t j = threadIdx.x; j < c; j += kBlock) {
      g += to_float(upstream[j]) * gain[j];
      g_x_hat += to_float(upstream[j]) * gain[j] * to_float(hat[j]);
    }
    const float mean_g = block_sum(g) * share, mean_g_x_hat = block_sum(g_x_hat) * share;
    for (int64_t j = threadIdx.x; j < c; j += kBlock) {
      const float value = to_float(upstream[j]), normal = to_float(hat[j]);
      const float gradient = inverse_std[pixel] * (value * gain[j] - mean_g - normal * mean_g_x_hat);
      dconv[pixel * c + j] = from_float<T>(gradient);
      dgain[j] += value * normal;
      dbias[j] += value;
      dconv_bias[j] += gradient;
    }
  }
}

// ---- launches ----

struct Forward {
  const Tensor &x, &w, &conv_bias, &gain, &bias;
  float epsilon;
  DepthwiseLayerNormResult& result;
};

template <typename T, int kRows, int kChannels, int kMaxWarps>
void fused(const DepthwiseProblem& d, const Forward& f) {
  const int warps = static_cast<int>(blocks_for(d.c, 32 * kChannels)), tiles_per_block = std::max(1, 8 / warps);
  const int64_t tiles = tiles_of<kRows>(d);
  const Grid grid{.blocks = dim3(static_cast<unsigned>(blocks_for(tiles, tiles_per_block))),
                  .threads = dim3(static_cast<unsigned>(32 * warps * tiles_per_block))};
  launch("depthwise_layer_norm_kernel", depthwise_layer_norm_kernel<T, kRows, kChannels, kMaxWarps>, grid, f.x.device(),
         d, tiles, tiles_per_block, warps, f.x.data<T>(), f.w.data<float>(), f.conv_bias.data<float>(),
         f.gain.data<float>(), f.bias.data<float>(), f.epsilon, f.result.y.data<T>(), f.result.x_hat.data<T>(),
         f.result.inverse_std.data<float>());
}

constexpr int64_t kMaxParts = 1024;  // parts of the pixels that are summed separately: a few for each multiprocessor

template <typename T, int kWidth>
void normalise_backward(const Tensor& dy, const Tensor& x_hat, const Tensor& inverse_std, const Tensor& gain,
                        int64_t parts, int64_t pixels_per_part, Tensor& dconv, Tensor& partial) {
  const int64_t c = gain.size(), pixels = inverse_std.size();
  const int warps = static_cast<int>(blocks_for(c, 32 * kWidth));
  const int64_t groups = std::max(1, 8 / warps);
  launch("normalise_backward_kernel", normalise_backward_kernel<T, kWidth>,
         {.blocks = dim3(static_cast<unsigned>(blocks_for(parts, groups))),
          .threads = dim3(static_cast<unsigned>(32 * warps * groups))},
         dy.device(), pixels, c, parts, pixels_per_part, warps, dy.data<T>(), x_hat.data<T>(),
         inverse_std.data<float>(), gain.data<float>(), dconv.data<T>(), partial.data<float>());
}

}  // namespace

// ---- entry points ----

void depthwise_layer_norm(const Tensor& x, const Tensor& w, const Tensor& conv_bias, const Tensor& gain,
                          const Tensor& bias, Padding padding, float epsilon, DepthwiseLayerNormResult& result) {
  const DepthwiseProblem d = depthwise_problem(x.shape(), result.y.shape(), w.shape(), padding.top, padding.left);
  for_floating("depthwise_layer_norm", x.dtype(), [&]<typename T>() {
    const Forward f{x, w, conv_bias, gain, bias, epsilon, result};
    if (is_seven(d) && d.c <= 256) return fused<T, 4, 1, 8>(d, f);
    if (is_seven(d) && d.c <= 1024) return fused<T, 2, 2, 16>(d, f);
    depthwise_conv2d(x, w, conv_bias, padding, result.x_hat);
    const int64_t pixels = result.inverse_std.size();
    launch("normalise_kernel", normalise_kernel<T>, over(pixels * kBlock, x.device()), x.device(), pixels, d.c,
           gain.data<float>(), bias.data<float>(), epsilon, result.y.data<T>(), result.x_hat.data<T>(),
           result.inverse_std.data<float>());
  });
}

void depthwise_layer_norm_backward(const Tensor& x, const Tensor& w, const Tensor& gain, const Tensor& x_hat,
                                   const Tensor& inverse_std, const Tensor& dy, Padding padding,
                                   DepthwiseLayerNormGradients& gradients) {
  const int64_t c = gain.size(), pixels = inverse_std.size();
  const int64_t pixels_per_part = std::max<int64_t>(16, blocks_for(pixels, kMaxParts));
  const int64_t parts = std::max<int64_t>(1, blocks_for(pixels, pixels_per_part));
  Tensor dconv = Tensor::empty(dy.shape(), dy.dtype(), dy.device());
  Tensor partial = Tensor::empty({3, parts, c}, DType::F32, dy.device());
  for_floating("depthwise_layer_norm_backward", dy.dtype(), [&]<typename T>() {
    if (packs<4>(c, dy.data<T>(), x_hat.data<T>(), dconv.data<T>()) && c <= 4 * 512)
      normalise_backward<T, 4>(dy, x_hat, inverse_std, gain, parts, pixels_per_part, dconv, partial);
    else if (c <= 512)
      normalise_backward<T, 1>(dy, x_hat, inverse_std, gain, parts, pixels_per_part, dconv, partial);
    else
      launch("normalise_backward_any_kernel", normalise_backward_any_kernel<T>,
             {.blocks = dim3(static_cast<unsigned>(parts)), .threads = dim3(kBlock)}, dy.device(), pixels, c, parts,
             pixels_per_part, dy.data<T>(), x_hat.data<T>(), inverse_std.data<float>(), gain.data<float>(),
             dconv.data<T>(), partial.data<float>());
  });
  add_partial_sums<3>(
      partial, parts, c,
      {{gradients.dgain.data<float>(), gradients.dbias.data<float>(), gradients.dconv_bias.data<float>()}});
  depthwise_conv2d_backward_input(w, dconv, padding, gradients.dx);
  depthwise_conv2d_backward_filter(x, dconv, padding, gradients.dw);
}

}  // namespace avs::cuda
