// Shared by depthwise_conv2d.cu and depthwise_layer_norm.cu: one thread computes a tile of outputs of a 7x7 filter for
// one channel.
//
// A warp is 32 neighbouring channels of one tile: its loads are contiguous, and conditions on rows and columns do not
// diverge. A thread keeps kRows x 7 outputs in registers. It loads each input line of 13 values once and uses it for
// all filter rows that reach it; the filter rows move through registers:
//
//   input line i   x x x x x x x x x x x x x    adds to output row k with filter row i - k,  k = 0 .. kRows - 1
//
// 4 rows: that is 10 x 13 + 7 x 7 loads for 4 x 7 x 49 multiply-adds, 7.7 per load; one thread per output would
// have 0.5 per load. Registers are spent on reuse, not on wider loads, so any number of channels works. Tiles are
// numbered along the image's rows: the warps of a block compute neighbouring tiles, whose common inputs come from L1.
#pragma once

#include "cuda/device.cuh"
#include "tensor/shape.h"

namespace avs::cuda {

struct DepthwiseProblem {
  int64_t n, h, w, c;  // input
  int64_t p, q;        // output
  int64_t r, s;        // filter
  int64_t top, left;   // padding; may be negative in a gradient
};
inline DepthwiseProblem depthwise_problem(const Shape& x, const Shape& y, const Shape& filter, int64_t top,
                                          int64_t left) {
  return {x[0], x[1], x[2], x[3], y[1], y[2], filter[0], filter[1], top, left};
}

constexpr int kTaps = 7;                     // the filter's height and width
constexpr int kColumns = 7;                  // outputs of a tile along the width: divides 56, 28, 14 and 7
constexpr int kSpan = kColumns + kTaps - 1;  // inputs of a tile along the width
inline bool is_seven(const DepthwiseProblem& d) { return d.r == kTaps && d.s == kTaps; }

// ---- tiles ----

struct DepthwiseTile {
  int64_t image, row, column;  // the tile's first output
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

// Bit i is set if first + i is in 0 .. extent - 1;  i = 0 .. count - 1, count < 32
__device__ inline unsigned places(int64_t first, int64_t extent, int count) {
  const unsigned before_end = (1u << clamped(extent - first, count)) - 1;
  const unsigned before_begin = (1u << clamped(-first, count)) - 1;
  return before_end & ~before_begin;
}
constexpr unsigned kAllPlaces = ~0u;

// Loads N values that are `step` elements apart; values whose bit in `places` is 0 become 0. Most lines have all bits
// set, and that case is a branch of its own: two instructions a value instead of five.
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

// y += the tile's outputs. x and filter point at the thread's channel (in the image, and in the first tap); taps are
// tap_step elements apart. Rows past the last output row are computed too, from the inputs that exist.
template <int kRows, typename T>
__device__ inline void convolve_tile(const DepthwiseProblem& d, const DepthwiseTile& tile, const T* x,
                                     const float* filter, int tap_step, float (&y)[kRows][kColumns]) {
  const int64_t first = tile.column - d.left;
  const unsigned columns = places(first, d.w, kSpan);
  int64_t row = tile.row - d.top;
  x += (row * d.w + first) * d.c;
  float w[kTaps][kTaps];  // kRows of these rows are live at a time
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
