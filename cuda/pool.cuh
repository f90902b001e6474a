// Shared by max_pool2d.cu and avg_pool2d.cu: the positions that a window covers, the distribution of work, and a loop
// over windows. Forward and backward have one form: each element of the result gathers from a small rectangle, so no
// two threads add to the same element.
#pragma once

#include <algorithm>

#include "cuda/device.cuh"
#include "tensor/ops/max_pool2d.h"

namespace avs::cuda {

// Extents and element counts within one image are int (make_pool() checks that they fit); counts over images are
// int64_t.
struct Pool {
  int64_t n;
  int h, w, p, q, c;  // input, output, channels
  int window_h, window_w, stride_h, stride_w, top, left;
};

inline Pool make_pool(const char* op, const Shape& x, const Shape& y, const Pool2dSpec& spec) {
  const Nhwc in = as_nhwc(x), out = as_nhwc(y);
  constexpr int64_t kMost = (int64_t{1} << 30) - 1;  // leaves room to add a block to an index
  AVS_CHECK(ShapeError, in.h * in.w * in.c <= kMost && out.h * out.w * out.c <= kMost, op, ": one image of ", x,
            " has too many elements: expected at most ", kMost);
  AVS_CHECK(ShapeError,
            spec.window_h <= kMost && spec.window_w <= kMost && spec.window_h * spec.window_w <= kMost &&
                spec.stride_h <= kMost && spec.stride_w <= kMost,
            op, ": a window of ", spec.window_h, "x", spec.window_w, " with strides ", spec.stride_h, " and ",
            spec.stride_w, ": expected at most ", kMost, " positions");
  const auto narrow = [](int64_t extent) { return static_cast<int>(extent); };
  return {in.n,
          narrow(in.h),
          narrow(in.w),
          narrow(out.h),
          narrow(out.w),
          narrow(in.c),
          narrow(spec.window_h),
          narrow(spec.window_w),
          narrow(spec.stride_h),
          narrow(spec.stride_w),
          narrow(spec.padding.top),
          narrow(spec.padding.left)};
}

// ---- windows ----

struct Span {
  int first, last;  // [first, last)
  __device__ int extent() const { return last - first; }
};

// The input positions inside an output's window.
__device__ inline Span window_at(int output, int stride, int before, int extent, int input) {
  const int start = output * stride - before;
  return {max(0, start), min(input, start + extent)};
}
__device__ inline Span rows_of(const Pool& pool, int p) {
  return window_at(p, pool.stride_h, pool.top, pool.window_h, pool.h);
}
__device__ inline Span columns_of(const Pool& pool, int q) {
  return window_at(q, pool.stride_w, pool.left, pool.window_w, pool.w);
}
// The outputs whose windows contain input position `at`; may be empty.
__device__ inline Span outputs_over(int at, int stride, int before, int extent, int outputs) {
  const int start = at + before - extent + 1;  // the earliest window start that still covers `at`
  return {start <= 0 ? 0 : (start + stride - 1) / stride, min(outputs, (at + before) / stride + 1)};
}

// Calls visit(row, column, inside) over a rectangle, row-major. kSpan > 0: always kSpan x kSpan visits, so that the
// loop unrolls and all loads are in flight at once; visits past the end repeat the last position with inside = false.
// kSpan = 0: any size.
template <int kSpan, typename Visit>
__device__ inline void for_window(Span rows, Span columns, Visit&& visit) {
  if constexpr (kSpan == 0) {
#pragma unroll 1
    for (int row = rows.first; row < rows.last; ++row)
#pragma unroll 2
      for (int column = columns.first; column < columns.last; ++column) visit(row, column, true);
  } else {
    if (rows.extent() <= 0 || columns.extent() <= 0) return;
#pragma unroll
    for (int r = 0; r < kSpan; ++r)
#pragma unroll
      for (int s = 0; s < kSpan; ++s)
        visit(min(rows.first + r, rows.last - 1), min(columns.first + s, columns.last - 1),
              r < rows.extent() && s < columns.extent());
  }
}

// ---- work: a thread computes N channels of one column in some rows, so that the rows share inputs in the L1 cache
// ----

struct PoolWork {
  int64_t images;
  int rows, columns, packs, rows_per_block;  // extents of the result; packs of N channels in a pixel
};
struct PoolLaunch {
  PoolWork work;
  Grid grid;  // x: columns and packs, y: rows, z: images
};

inline PoolLaunch deal_out(int64_t images, int rows, int columns, int packs) {
  constexpr int64_t kManyBlocks = 2048, kMaxBlocks = 65535;  // along y and z
  const int64_t across = blocks_for(int64_t{columns} * packs, kBlock);
  const int64_t shared_rows = across * blocks_for(rows, 4) * images >= kManyBlocks ? 4 : 1;
  const int64_t rows_per_block = std::max(shared_rows, blocks_for(rows, kMaxBlocks));
  return {
      .work = {images, rows, columns, packs, static_cast<int>(rows_per_block)},
      .grid = {.blocks = dim3(static_cast<unsigned>(across), static_cast<unsigned>(blocks_for(rows, rows_per_block)),
                              static_cast<unsigned>(std::min(images, kMaxBlocks))),
               .threads = dim3(kBlock)}};
}

// begin(column, first channel) returns make(image, row), which is then called for each of this thread's results.
template <int N, typename Begin>
__device__ inline void for_results(const PoolWork& work, Begin&& begin) {
  const int item = static_cast<int>(blockIdx.x) * kBlock + static_cast<int>(threadIdx.x);
  if (item >= work.columns * work.packs) return;
  const int column = item / work.packs, channel = (item - column * work.packs) * N;
  const auto make = begin(column, channel);
  const int first = static_cast<int>(blockIdx.y) * work.rows_per_block;
  const int last = min(work.rows, first + work.rows_per_block);
  for (int64_t image = blockIdx.z; image < work.images; image += gridDim.z)
    for (int row = first; row < last; ++row) make(image, row);
}

// Calls run<N, kSpan>(packs of a pixel) with 16-byte vectors and an unrolled window if a form fits; N = 1 and kSpan = 0
// fit everything.
template <typename T, int... kSpans, typename Run, typename... Pointers>
void in_pool_packs(int64_t c, int64_t span, Run&& run, const Pointers*... data) {
  constexpr int N = 16 / sizeof(T);
  if (!packs<N>(c, data...)) return run.template operator()<1, 0>(static_cast<int>(c));
  const auto packs_of_pixel = static_cast<int>(c / N);
  const bool unrolled = ((span == kSpans && (run.template operator()<N, kSpans>(packs_of_pixel), true)) || ...);
  if (!unrolled) run.template operator()<N, 0>(packs_of_pixel);
}

}  // namespace avs::cuda
