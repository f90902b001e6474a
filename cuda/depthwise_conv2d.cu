// Depthwise convolution on CUDA. A 7x7 filter has 49 multiply-adds per element and moves two elements (8 bytes in f32);
// the issue rate of instructions bounds it, before memory or arithmetic. An interior tile issues 2,780 (a warp's, bf16,
// sm_90, counted in the machine code): 1,372 multiply-adds (49 %) and 476 for output addresses. depthwise.cuh explains
// how loads are shared.
#include <algorithm>

#include "cuda/column_sum.cuh"
#include "cuda/depthwise.cuh"
#include "cuda/types.h"
#include "tensor/ops/depthwise_conv2d.h"

namespace avs::cuda {
namespace {

constexpr int kRows = 4;             // rows of a tile
constexpr int kWarps = kBlock / 32;  // warps of a block, one tile each

// ---- kernels ----

template <typename T>
__global__ void __launch_bounds__(kBlock, 2)
    depthwise_conv2d_kernel(DepthwiseProblem d, int64_t tiles, int64_t chunks, const T* __restrict__ x,
                            const float* __restrict__ filter, int64_t tap_step, const float* __restrict__ bias,
                            T* __restrict__ y) {
  const int64_t channel = blockIdx.x % chunks * 32 + threadIdx.x % 32;
  const int64_t index = blockIdx.x / chunks * kWarps + threadIdx.x / 32;
  if (channel >= d.c || index >= tiles) return;
  const DepthwiseTile tile = tile_at<kRows>(d, index);
  const float shift = bias == nullptr ? 0.0f : bias[channel];
  float value[kRows][kColumns];
#pragma unroll
  for (int k = 0; k < kRows; ++k)
#pragma unroll
    for (int t = 0; t < kColumns; ++t) value[k][t] = shift;
  convolve_tile(d, tile, x + tile.image * d.h * d.w * d.c + channel, filter + channel, static_cast<int>(tap_step),
                value);
  const int rows = clamped(d.p - tile.row, kRows), columns = clamped(d.q - tile.column, kColumns);
  T* const to = y + ((tile.image * d.p + tile.row) * d.q + tile.column) * d.c + channel;
#pragma unroll
  for (int k = 0; k < kRows; ++k)
#pragma unroll
    for (int t = 0; t < kColumns; ++t)
      if (k < rows && t < columns) to[(k * d.q + t) * d.c] = from_float<T>(value[k][t]);
}

// A filter of any size: one thread per output.
template <typename T>
__global__ void depthwise_conv2d_any_kernel(DepthwiseProblem d, const T* __restrict__ x,
                                            const float* __restrict__ filter, int64_t tap_step,
                                            const float* __restrict__ bias, T* __restrict__ y) {
  const int64_t size = d.n * d.p * d.q * d.c;
  for (int64_t i = first_item(); i < size; i += item_stride()) {
    const int64_t channel = i % d.c, pixel = i / d.c, column = pixel % d.q - d.left;
    const int64_t row = pixel / d.q % d.p - d.top, image = pixel / d.q / d.p;
    float sum = bias == nullptr ? 0.0f : bias[channel];
    for (int64_t r = max(int64_t{0}, -row); r < min(d.r, d.h - row); ++r)
      for (int64_t s = max(int64_t{0}, -column); s < min(d.s, d.w - column); ++s)
        sum += to_float(x[((image * d.h + row + r) * d.w + column + s) * d.c + channel]) *
               filter[(r * d.s + s) * tap_step + channel];
    y[i] = from_float<T>(sum);
  }
}

// ---- the filter's gradient ----
//
// The same tile with input and output exchanged: a warp walks down the input lines of a strip 7 output columns wide. It
// loads a line of 13 inputs once and multiplies it with the gradients of the output rows that read it through
// kFilterRows of the 7 filter rows; these gradients move through registers. 20 loads for kFilterRows x 49
// multiply-adds.

constexpr int kJobs = 4;  // strips of a block at a time, two warps each: filter rows 0..3 and 4..6
constexpr int kLinesPerJob = 16;

// dw[k][s] += the products of `lines` input lines with the gradients they are paired with in filter row first_r + k. x
// and dy point at the channel.
template <int kFilterRows, typename T>
__device__ inline void walk_strip(const DepthwiseProblem& d, const DepthwiseTile& strip, int lines, int first_r,
                                  const T* x, const T* dy, float (&dw)[4][kTaps]) {
  const auto c = static_cast<int>(d.c);
  // row: in the output
  const int64_t first = strip.column - d.left, row = strip.row + d.top - first_r - (kFilterRows - 1);
  const unsigned columns = places(first, d.w, kSpan), outputs = places(strip.column, d.q, kColumns);
  unsigned rows = places(row, d.p, kLinesPerJob + kFilterRows - 1);
  x += ((strip.image * d.h + strip.row) * d.w + first) * d.c;
  dy += ((strip.image * d.p + row) * d.q + strip.column) * d.c;
  float upstream[kFilterRows][kColumns] = {};  // a ring buffer
  const auto next_output_row = [&](float(&to)[kColumns]) {
    load_line(dy, c, (rows & 1u) != 0 ? outputs : 0, to);
    rows >>= 1;
    dy += d.q * d.c;
  };
#pragma unroll
  for (int k = 1; k < kFilterRows; ++k) next_output_row(upstream[k]);
  for (int line = 0; line < lines; line += kFilterRows) {
#pragma unroll
    for (int u = 0; u < kFilterRows; ++u, x += d.w * d.c) {
      if (line + u >= lines) break;
      next_output_row(upstream[u]);
      float from[kSpan];
      load_line(x, c, columns, from);
#pragma unroll
      for (int k = 0; k < kFilterRows; ++k)
#pragma unroll
        for (int s = 0; s < kTaps; ++s)
#pragma unroll
          for (int t = 0; t < kColumns; ++t) dw[k][s] += from[t + s] * upstream[(u - k + kFilterRows) % kFilterRows][t];
    }
  }
}

struct Jobs {
  int64_t across, down, count;  // strips along the width, pieces of one strip, all jobs
  int per_part;
};

// A block takes 32 channels and a part of the jobs, kJobs at a time. A job is kLinesPerJob lines of a strip;
// neighbouring strips are neighbouring jobs, whose common inputs come from L1. partial: [parts, 7, 7, c]
template <typename T>
__global__ void __launch_bounds__(kBlock, 2)
    depthwise_conv2d_backward_filter_kernel(DepthwiseProblem d, Jobs jobs, const T* __restrict__ x,
                                            const T* __restrict__ dy, float* __restrict__ partial) {
  __shared__ float of_warp[kWarps][kTaps][32];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int64_t channel = int64_t{blockIdx.x} * 32 + lane, part = blockIdx.y;
  float dw[4][kTaps] = {};
  if (channel < d.c)
    for (int turn = warp % kJobs; turn < jobs.per_part; turn += kJobs) {
      const int64_t job = part * jobs.per_part + turn, piece = job / jobs.across;
      if (job >= jobs.count) break;
      const DepthwiseTile strip{piece / jobs.down, piece % jobs.down * kLinesPerJob, job % jobs.across * kColumns};
      const int lines = clamped(d.h - strip.row, kLinesPerJob);
      if (warp < kJobs)
        walk_strip<4>(d, strip, lines, 0, x + channel, dy + channel, dw);
      else
        walk_strip<3>(d, strip, lines, 4, x + channel, dy + channel, dw);
    }
#pragma unroll
  for (int k = 0; k < 4; ++k) {
#pragma unroll
    for (int s = 0; s < kTaps; ++s) of_warp[warp][s][lane] = dw[k][s];
    __syncthreads();
    for (int i = warp; i < 2 * kTaps; i += kWarps) {
      const int half = i / kTaps, s = i % kTaps, r = 4 * half + k;
      float sum = 0;
#pragma unroll
      for (int j = 0; j < kJobs; ++j) sum += of_warp[kJobs * half + j][s][lane];
      if (r < kTaps && channel < d.c) partial[((part * kTaps + r) * kTaps + s) * d.c + channel] = sum;
    }
    __syncthreads();
  }
}

// A filter of any size: one thread per tap, channel and part of the output rows. partial: [parts, r, s, c]
template <typename T>
__global__ void depthwise_conv2d_backward_filter_any_kernel(DepthwiseProblem d, int64_t parts, int64_t rows_per_part,
                                                            const T* __restrict__ x, const T* __restrict__ dy,
                                                            float* __restrict__ partial) {
  const int64_t taps = d.r * d.s;
  for (int64_t i = first_item(); i < parts * taps * d.c; i += item_stride()) {
    const int64_t channel = i % d.c, tap = i / d.c % taps, part = i / d.c / taps, r = tap / d.s, s = tap % d.s;
    const int64_t begin = max(int64_t{0}, d.left - s), end = min(d.q, d.w + d.left - s);
    float sum = 0;
    for (int64_t line = part * rows_per_part; line < min(d.n * d.p, (part + 1) * rows_per_part); ++line) {
      const int64_t row = line % d.p + r - d.top, image = line / d.p;
      if (row < 0 || row >= d.h) continue;
      const T* const from = x + ((image * d.h + row) * d.w + s - d.left) * d.c + channel;
      const T* const upstream = dy + line * d.q * d.c + channel;
      for (int64_t q = begin; q < end; ++q) sum += to_float(from[q * d.c]) * to_float(upstream[q * d.c]);
    }
    partial[i] = sum;
  }
}

// ---- launches ----

constexpr int64_t kMaxParts = 128;  // partial filter gradients: they occupy a large GPU and take little memory

struct Filter {
  const float* first_tap;
  int64_t tap_step;  // negative: the filter is rotated by 180 degrees
};

void convolve(const DepthwiseProblem& d, const Tensor& x, Filter filter, const float* bias, Tensor& y) {
  for_floating("depthwise_conv2d", x.dtype(), [&]<typename T>() {
    const Device device = x.device();
    if (!is_seven(d))
      return launch("depthwise_conv2d_any_kernel", depthwise_conv2d_any_kernel<T>, over(y.size(), device), device, d,
                    x.data<T>(), filter.first_tap, filter.tap_step, bias, y.data<T>());
    const int64_t tiles = tiles_of<kRows>(d), chunks = blocks_for(d.c, 32);
    const Grid grid{.blocks = dim3(static_cast<unsigned>(blocks_for(tiles, kWarps) * chunks)), .threads = dim3(kBlock)};
    launch("depthwise_conv2d_kernel", depthwise_conv2d_kernel<T>, grid, device, d, tiles, chunks, x.data<T>(),
           filter.first_tap, filter.tap_step, bias, y.data<T>());
  });
}

template <typename T>
Tensor filter_gradient_parts(const DepthwiseProblem& d, const Tensor& x, const Tensor& dy) {
  Jobs jobs{.across = blocks_for(d.q, kColumns), .down = blocks_for(d.h, kLinesPerJob), .count = 0, .per_part = 0};
  jobs.count = d.n * jobs.across * jobs.down;
  jobs.per_part = static_cast<int>(blocks_for(jobs.count, kJobs * kMaxParts)) * kJobs;
  const int64_t parts = blocks_for(jobs.count, jobs.per_part);  // at most kMaxParts
  Tensor partial = Tensor::empty({parts, d.r, d.s, d.c}, DType::F32, x.device());
  const Grid grid{.blocks = dim3(static_cast<unsigned>(blocks_for(d.c, 32)), static_cast<unsigned>(parts)),
                  .threads = dim3(kBlock)};
  launch("depthwise_conv2d_backward_filter_kernel", depthwise_conv2d_backward_filter_kernel<T>, grid, x.device(), d,
         jobs, x.data<T>(), dy.data<T>(), partial.data<float>());
  return partial;
}

template <typename T>
Tensor filter_gradient_parts_any(const DepthwiseProblem& d, const Tensor& x, const Tensor& dy) {
  const int64_t rows = d.n * d.p, rows_per_part = std::max<int64_t>(8, blocks_for(rows, kMaxParts));
  const int64_t parts = blocks_for(rows, rows_per_part);
  Tensor partial = Tensor::empty({parts, d.r, d.s, d.c}, DType::F32, x.device());
  launch("depthwise_conv2d_backward_filter_any_kernel", depthwise_conv2d_backward_filter_any_kernel<T>,
         over(partial.size(), x.device()), x.device(), d, parts, rows_per_part, x.data<T>(), dy.data<T>(),
         partial.data<float>());
  return partial;
}

}  // namespace

// ---- entry points ----

void depthwise_conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Padding padding, Tensor& y) {
  const DepthwiseProblem d = depthwise_problem(x.shape(), y.shape(), w.shape(), padding.top, padding.left);
  convolve(d, x, {w.data<float>(), d.c}, bias.defined() ? bias.data<float>() : nullptr, y);
}

// The input gradient is a convolution of dy with the filter rotated by 180 degrees, so the taps run backwards.
void depthwise_conv2d_backward_input(const Tensor& w, const Tensor& dy, Padding padding, Tensor& dx) {
  const Shape& f = w.shape();
  const DepthwiseProblem d =
      depthwise_problem(dy.shape(), dx.shape(), f, f[0] - 1 - padding.top, f[1] - 1 - padding.left);
  convolve(d, dy, {w.data<float>() + (f[0] * f[1] - 1) * d.c, -d.c}, nullptr, dx);
}

// The cut depends on the shapes alone, and parts are added in order: the same bits on every GPU.
void depthwise_conv2d_backward_filter(const Tensor& x, const Tensor& dy, Padding padding, Tensor& dw) {
  const DepthwiseProblem d = depthwise_problem(x.shape(), dy.shape(), dw.shape(), padding.top, padding.left);
  if (x.size() == 0 || dw.size() == 0) return dw.zero();
  for_floating("depthwise_conv2d_backward_filter", x.dtype(), [&]<typename T>() {
    const Tensor partial = is_seven(d) ? filter_gradient_parts<T>(d, x, dy) : filter_gradient_parts_any<T>(d, x, dy);
    add_partial_sums<1>(partial, partial.shape()[0], dw.size(), {{dw.data<float>()}});
  });
}

}  // namespace avs::cuda
