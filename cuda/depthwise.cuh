// What depthwise_conv2d.cu and depthwise_layer_norm.cu share: the tile of outputs of a 7x7 filter that one thread
// computes for one channel.
//
// A warp is 32 neighbouring channels of one tile: its loads are contiguous, and every question about rows and columns
// has one answer for the whole warp. A thread keeps kRows x 7 outputs in registers. Each input line of 13 values is
// loaded once and meets the filter rows that reach it, which slide through registers:
//
//   input line i   x x x x x x x x x x x x x    adds to output row k with filter row i - k,  k = 0 .. kRows - 1
//
// With 4 rows that is 10 x 13 + 7 x 7 loads for 4 x 7 x 49 multiply-adds, 7.7 a load; a thread per output has half of
// one. Registers go to reuse rather than to wider loads, so that no number of channels is special. Tiles are numbered
// along the image's rows: the warps of a block work on neighbours, and what their tiles share comes from L1.
#pragma once

#include "cuda/device.cuh"
#include "tensor/shape.h"

namespace avs::cuda {

struct DepthwiseProblem {
  int64_t n, h, w, c;  // input
  int64_t p, q;        // output
  int64_t r, s;        // filter
  int64_t top, left;   // padding; negative where a gradient's is
};
inline DepthwiseProblem depthwise_problem(const Shape& x, const Shape& y, const Shape& filter, int64_t top,
                                          int64_t left) {
  return {x[0], x[1], x[2], x[3], y[1], y[2], filter[0], filter[1], top, left};
}

constexpr int kTaps = 7;                     // the filter's height and width
constexpr int kColumns = 7;                  // outputs of a tile along the width: 56, 28, 14 and 7 are multiples
constexpr int kSpan = kColumns + kTaps - 1;  // inputs that they see
inline bool is_seven(const DepthwiseProblem& d) { return d.r == kTaps && d.s == kTaps; }

// ---- tiles ----

struct DepthwiseTile {
  int64_t image, row, column;  // of its first output
};

template <int kRows>
int64_t tiles_of(const DepthwiseProblem& d) {
  return d.n * blocks_for(d.p, kRows) * blocks_for(d.q, kColumns);
}

template <int kRows>
__device__ inline DepthwiseTile tile_at(const DepthwiseProblem& d, int64_t index) {
  const int64_t across = (d.q + kColumns - 1) / kColumns, down = (d.p + kRows - 1) / kRows;
  return {index / across / down, index / across % down * kRows, index % across * kColumns};
}

__device__ inline int clamped(int64_t value, int most) {
  return value < 0 ? 0 : value > most ? most : static_cast<int>(value);
}

// ---- lines ----

// Bit i: is first + i one of the places 0 .. extent - 1?  i = 0 .. count - 1, count < 32
__device__ inline unsigned places(int64_t first, int64_t extent, int count) {
  const unsigned before_end = (1u << clamped(extent - first, count)) - 1;
  const unsigned before_begin = (1u << clamped(-first, count)) - 1;
  return before_end & ~before_begin;
}
constexpr unsigned kAllPlaces = ~0u;

// N values that are `step` elements apart; those that `places` does not name are 0. Most lines are whole, which is
// worth a branch: two instructions a value instead of five.
template <int N, typename T>
__device__ inline void load_line(const T* from, int step, unsigned places, float (&to)[N]) {
  constexpr unsigned kWhole = (1u << N) - 1;
  if ((places & kWhole) == kWhole) {
#pragma unroll
    for (int i = 0; i < N; ++i, from += step) to[i] = to_float(*from);
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i, from += step) to[i] = (places >> i & 1u) != 0 ? to_float(*from) : 0.0f;
  }
}

// y += the tile's outputs. x points at the thread's channel in the image, filter at it in the first tap; the next tap
// is tap_step elements on. Rows beyond the last of the output are computed too, from what input there is.
template <int kRows, typename T>
__device__ inline void convolve_tile(const DepthwiseProblem& d, const DepthwiseTile& tile, const T* x,
                                     const float* filter, int tap_step, float (&y)[kRows][kColumns]) {
  const int64_t first = tile.column - d.left;
  const unsigned columns = places(first, d.w, kSpan);
  int64_t row = tile.row - d.top;
  x += (row * d.w + first) * d.c;
  float w[kTaps][kTaps];  // of which kRows rows are alive at a time
#pragma unroll
  for (int i = 0; i < kTaps + kRows - 1; ++i, ++row, x += d.w * d.c) {
    if (i < kTaps) load_line(filter + int64_t{i} * kTaps * tap_step, tap_step, kAllPlaces, w[i]);
    if (row < 0 || row >= d.h) continue;
    float line[kSpan];
    load_line(x, static_cast<int>(d.c), columns, line);
#pragma unroll
    for (int k = 0; k < kRows; ++k)
#pragma unroll
      for (int t = 0; t < kColumns; ++t)
#pragma unroll
        for (int s = 0; s < kTaps; ++s)
          if (i >= k && i - k < kTaps) y[k][t] += line[t + s] * w[i - k][s];
  }
}

}  // namespace avs::cuda
