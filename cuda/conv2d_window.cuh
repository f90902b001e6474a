// A convolution as a product of matrices (implicit GEMM): maps each (row, depth) and (column, depth) of conv2d_tile.cuh
// to a pixel and a filter element.
//
//   direction        out(row, column)         depth             A(row, depth)     B(column, depth)
//   forward          y(pixel, k)              tap r, s, then c  x, by depth       w, by depth
//   backward input   dx(pixel, c)             tap r, s, then k  dy, by depth      w, by rows
//   backward filter  dw(k, (r, s, c))         pixel of y        dy, by rows       x, by rows
//
// Forward and backward input share one form, a Window: output pixel (u, v) reads the input pixels (u * step_h + first_h
// + i * tap_h, …) under the taps i, j. Backward input with a stride splits into stride_h * stride_w phases: the pixels
// of dx with the same taps, each a window of dy with steps of one.
#pragma once

#include "cuda/conv2d_tile.cuh"
#include "tensor/ops/conv2d.h"

namespace avs::cuda {

struct Window {
  int64_t images;
  int in_h, in_w, in_c;
  int grid_h, grid_w;    // output pixels of one phase
  int step_h, step_w;    // input pixels from one output pixel to the next
  int first_h, first_w;  // input pixel of output pixel 0 under tap 0
  int tap_h, tap_w;      // input pixels from one tap to the next: 1, or -1 backwards
  int taps_h, taps_w;
  int64_t rows() const { return images * grid_h * grid_w; }
  int64_t depth() const { return int64_t{taps_h} * taps_w * in_c; }
};

// Locates the filter's element for tap (i, j), input channel and output channel. Forward, the output channel is k.
struct FilterTaps {
  int64_t of_in, of_out;  // elements from one channel to the next
  int64_t first, of_tap_h, of_tap_w;
};

Window forward_window(const Shape& x, const Shape& w, const Shape& y, const Conv2dSpec& spec);
FilterTaps forward_taps(const Shape& w);
// The window for the pixels (a + stride_h * u, b + stride_w * v) of dx; there may be none.
Window backward_window(const Shape& x, const Shape& w, const Shape& y, const Conv2dSpec& spec, int64_t a, int64_t b);
FilterTaps backward_taps(const Shape& w, const Conv2dSpec& spec, int64_t a, int64_t b);

// Stores the sums of output pixels: computes a pixel's address, and applies bias and ReLU.
template <typename T>
struct PixelSink {
  T* y;
  const float* bias;  // null: none
  bool relu, packed;  // packed: four channels can be stored at once
  int64_t rows, columns;
  // extents and steps of the phase; if both steps are 1, rows are consecutive
  int grid_h, grid_w, image_h, image_w, step_h, step_w, first_h, first_w;

  __device__ int64_t pixel(int64_t row) const {
    if (step_h == 1 && step_w == 1) return row;
    const int64_t line = row / grid_w, n = line / grid_h;
    const int64_t h = (line - n * grid_h) * step_h + first_h, w = (row - line * grid_w) * step_w + first_w;
    return (n * image_h + h) * image_w + w;
  }
  __device__ float finished(float sum, int64_t column) const {
    if (bias != nullptr) sum += bias[column];
    return relu && sum < 0.0f ? 0.0f : sum;  // NaN stays NaN
  }
  __device__ void put(int64_t row, int64_t column, const Pack<float, 4>& four) const {
    if (row >= rows) return;
    T* const to = y + pixel(row) * columns + column;
    if (packed && column + 4 <= columns) {
      store_pack<4>(
          to, Pack<T, 4>{{from_float<T>(finished(four.at[0], column)), from_float<T>(finished(four.at[1], column + 1)),
                          from_float<T>(finished(four.at[2], column + 2)),
                          from_float<T>(finished(four.at[3], column + 3))}});
      return;
    }
#pragma unroll
    for (int v = 0; v < 4; ++v)
      if (column + v < columns) to[v] = from_float<T>(finished(four.at[v], column + v));
  }
};

// y = activation(sum + bias), all pixels consecutive.
template <typename T>
PixelSink<T> dense_sink(Tensor& y, const Tensor& bias, Activation activation) {
  const int64_t columns = y.shape()[-1];
  T* const data = y.data<T>();
  return {.y = data,
          .bias = bias.defined() ? bias.data<float>() : nullptr,
          .relu = activation == Activation::Relu,
          .packed = packs<4>(columns, data),
          .rows = y.size() / columns,
          .columns = columns,
          .grid_h = 1,
          .grid_w = 1,
          .image_h = 1,
          .image_w = 1,
          .step_h = 1,
          .step_w = 1,
          .first_h = 0,
          .first_w = 0};
}

// The pixels of one phase of dx.
template <typename T>
PixelSink<T> phase_sink(Tensor& dx, const Window& window, const Conv2dSpec& spec, int64_t a, int64_t b) {
  PixelSink<T> sink = dense_sink<T>(dx, Tensor(), Activation::None);
  sink.rows = window.rows();
  sink.grid_h = window.grid_h;
  sink.grid_w = window.grid_w;
  sink.image_h = static_cast<int>(dx.shape()[1]);
  sink.image_w = static_cast<int>(dx.shape()[2]);
  sink.step_h = static_cast<int>(spec.stride_h);
  sink.step_w = static_cast<int>(spec.stride_w);
  sink.first_h = static_cast<int>(a);
  sink.first_w = static_cast<int>(b);
  return sink;
}

// ---- sources ----

constexpr int kNowhere = -(1 << 30);  // added to any coordinate, or to itself, it is outside every image

// The pixels of the input in a window; depth is the tap, then the channel.
template <typename T, int kVector>
struct WindowByDepth {
  using Element = T;
  static constexpr int kPack = kVector;
  static constexpr Contiguous kContiguous = Contiguous::Depth;
  struct Row {
    int64_t begin;
    int h, w;
  };
  struct Depth {
    int64_t offset;
    int i, j, c, h, w;
  };
  const T* data;
  Window window;

  __device__ Row row(int64_t r) const {
    const int64_t line = r / window.grid_w, n = line / window.grid_h;
    if (n >= window.images) return {0, kNowhere, 0};
    const int h = static_cast<int>(line - n * window.grid_h) * window.step_h + window.first_h;
    const int w = static_cast<int>(r - line * window.grid_w) * window.step_w + window.first_w;
    return {((n * window.in_h + h) * window.in_w + w) * window.in_c, h, w};
  }
  __device__ void locate(Depth& d) const {
    d.h = d.i < window.taps_h ? d.i * window.tap_h : kNowhere;
    d.w = d.j * window.tap_w;
    d.offset = (int64_t{d.i} * window.tap_h * window.in_w + d.w) * window.in_c + d.c;
  }
  __device__ Depth depth(int64_t at) const {
    const int64_t tap = at / window.in_c;
    Depth d{0,
            static_cast<int>(tap / window.taps_w),
            static_cast<int>(tap % window.taps_w),
            static_cast<int>(at - tap * window.in_c),
            0,
            0};
    locate(d);
    return d;
  }
  __device__ void advance(Depth& d, int by) const {
    for (d.c += by; d.c >= window.in_c; d.c -= window.in_c)
      if (++d.j == window.taps_w) {
        d.j = 0;
        ++d.i;
      }
    locate(d);
  }
  __device__ const T* at(const Row& row, const Depth& d) const {
    const bool inside = static_cast<unsigned>(row.h + d.h) < static_cast<unsigned>(window.in_h) &&
                        static_cast<unsigned>(row.w + d.w) < static_cast<unsigned>(window.in_w);
    return inside ? data + (row.begin + d.offset) : nullptr;
  }
};

// The filter for backward input: a row is an input channel c, depth is the tap, then the output channel k.
template <typename T, int kVector>
struct FilterByRow {
  using Element = T;
  static constexpr int kPack = kVector;
  static constexpr Contiguous kContiguous = Contiguous::Rows;
  struct Row {
    int64_t c;
  };
  struct Depth {
    int64_t offset;
    int i, j, k;
  };
  const T* data;
  FilterTaps taps;
  int taps_h, taps_w, c, k;

  __device__ Row row(int64_t r) const { return {r}; }
  __device__ void locate(Depth& d) const {
    d.offset = taps.first + d.i * taps.of_tap_h + d.j * taps.of_tap_w + d.k * taps.of_in;
  }
  __device__ Depth depth(int64_t at) const {
    const int64_t tap = at / k;
    Depth d{0, static_cast<int>(tap / taps_w), static_cast<int>(tap % taps_w), static_cast<int>(at - tap * k)};
    locate(d);
    return d;
  }
  __device__ void advance(Depth& d, int by) const {
    for (d.k += by; d.k >= k; d.k -= k)
      if (++d.j == taps_w) {
        d.j = 0;
        ++d.i;
      }
    locate(d);
  }
  __device__ const T* at(const Row& row, const Depth& d) const {
    return row.c < c && d.i < taps_h ? data + (d.offset + row.c) : nullptr;
  }
};

// The input for the filter gradient: a row is a filter element (r, s, c), depth is the output pixel.
template <typename T, int kVector>
struct WindowByRow {
  using Element = T;
  static constexpr int kPack = kVector;
  static constexpr Contiguous kContiguous = Contiguous::Rows;
  struct Row {
    int64_t offset;
    int h, w;
  };
  struct Depth {
    int64_t begin, n;
    int p, q, h, w;
  };
  const T* data;
  Window window;

  __device__ Row row(int64_t r) const {
    const int64_t tap = r / window.in_c, i = tap / window.taps_w, j = tap - i * window.taps_w;
    if (i >= window.taps_h) return {0, kNowhere, 0};
    return {(i * window.in_w + j) * window.in_c + (r - tap * window.in_c), static_cast<int>(i), static_cast<int>(j)};
  }
  __device__ void locate(Depth& d) const {
    d.h = d.n < window.images ? d.p * window.step_h + window.first_h : kNowhere;
    d.w = d.q * window.step_w + window.first_w;
    d.begin = ((d.n * window.in_h + d.h) * window.in_w + d.w) * window.in_c;
  }
  __device__ Depth depth(int64_t pixel) const {
    const int64_t line = pixel / window.grid_w, n = line / window.grid_h;
    Depth d{0, n, static_cast<int>(line - n * window.grid_h), static_cast<int>(pixel - line * window.grid_w), 0, 0};
    locate(d);
    return d;
  }
  __device__ void advance(Depth& d, int by) const {
    d.q += by;
    if (d.q < window.grid_w) {  // the same line of the image, the usual case for long lines
      d.w += by * window.step_w;
      d.begin += int64_t{by} * window.step_w * window.in_c;
      return;
    }
    for (; d.q >= window.grid_w; d.q -= window.grid_w)
      if (++d.p == window.grid_h) {
        d.p = 0;
        ++d.n;
      }
    locate(d);
  }
  __device__ const T* at(const Row& row, const Depth& d) const {
    const bool inside = static_cast<unsigned>(row.h + d.h) < static_cast<unsigned>(window.in_h) &&
                        static_cast<unsigned>(row.w + d.w) < static_cast<unsigned>(window.in_w);
    return inside ? data + (d.begin + row.offset) : nullptr;
  }
};

}  // namespace avs::cuda
