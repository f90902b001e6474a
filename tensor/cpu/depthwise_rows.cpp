#include "tensor/cpu/depthwise_rows.h"

#include <algorithm>

#include "tensor/cpu/simd.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

constexpr int kTaps = 7;  // the filter width that has register-blocked kernels

// ---- filters of any width: tap by tap ----------------------------------------

AVS_SIMD void multiply_add(const float* x, const float* w, float* y, int64_t pixels, int64_t c) {
  for (int64_t i = 0; i < pixels; ++i)
#pragma omp simd
    for (int64_t j = 0; j < c; ++j) y[i * c + j] += x[i * c + j] * w[j];
}

AVS_SIMD void dot_pixels(const float* x, const float* dy, float* dw, int64_t pixels, int64_t c) {
  for (int64_t i = 0; i < pixels; ++i)
#pragma omp simd
    for (int64_t j = 0; j < c; ++j) dw[j] += x[i * c + j] * dy[i * c + j];
}

// The output columns for which filter column s lies inside the input.
struct Columns {
  int64_t first, last;
};
Columns columns_of(const DepthwiseProblem& d, int64_t s) {
  return {std::clamp<int64_t>(d.left - s, 0, d.q), std::clamp<int64_t>(d.w + d.left - s, 0, d.q)};
}

void row_any(const DepthwiseProblem& d, const float* x, const float* filter, const float* bias, int64_t row, float* y) {
  for (int64_t q = 0; q < d.q; ++q)
    bias != nullptr ? std::copy_n(bias, d.c, y + q * d.c) : std::fill_n(y + q * d.c, d.c, 0.0f);
  for (int64_t r = 0; r < d.r; ++r) {
    const int64_t from = row + r - d.top;
    if (from < 0 || from >= d.h) continue;
    for (int64_t s = 0; s < d.s; ++s) {
      const auto [first, last] = columns_of(d, s);
      if (first < last)
        multiply_add(x + (from * d.w + first + s - d.left) * d.c, filter + (r * d.s + s) * d.c, y + first * d.c,
                     last - first, d.c);
    }
  }
}

void filter_rows_any(const DepthwiseProblem& d, const float* x, const float* dy, int64_t first_row, int64_t last_row,
                     float* dw) {
  std::fill_n(dw, d.r * d.s * d.c, 0.0f);
  for (int64_t row = first_row; row < last_row; ++row)
    for (int64_t r = 0; r < d.r; ++r) {
      const int64_t from = row + r - d.top;
      if (from < 0 || from >= d.h) continue;
      for (int64_t s = 0; s < d.s; ++s) {
        const auto [first, last] = columns_of(d, s);
        if (first < last)
          dot_pixels(x + (from * d.w + first + s - d.left) * d.c, dy + (row * d.q + first) * d.c,
                     dw + (r * d.s + s) * d.c, last - first, d.c);
      }
    }
}

// ---- filters of width 7: register blocked --------------------------------------

struct RowJob {
  const DepthwiseProblem& d;
  const float *x, *filter, *bias;  // x of one image; bias may be null
  int64_t row;
  float* y;
};

// Computes Tile outputs from column q, for Lanes channels from channel j.
template <int Lanes, int Tile>
AVS_INLINE void row_tile(const RowJob& job, int64_t q, int64_t j) {
  const DepthwiseProblem& d = job.d;
  Vec<Lanes> y[Tile];
  for (int t = 0; t < Tile; ++t) y[t] = Vec<Lanes>{};
  if (job.bias != nullptr)
    for (int t = 0; t < Tile; ++t) load(y[t], job.bias + j);
  const int64_t first = q - d.left, begin = std::max<int64_t>(0, d.top - job.row),
                end = std::min(d.r, d.h + d.top - job.row);
  for (int64_t r = begin; r < end; ++r) {
    const float* const x = job.x + ((job.row + r - d.top) * d.w + first) * d.c + j;
    Vec<Lanes> w[kTaps];
#pragma GCC unroll 7
    for (int s = 0; s < kTaps; ++s) load(w[s], job.filter + (r * kTaps + s) * d.c + j);
#pragma GCC unroll 20
    for (int i = 0; i < Tile + kTaps - 1; ++i) {
      if (first + i < 0 || first + i >= d.w) continue;
      Vec<Lanes> value;
      load(value, x + i * d.c);
#pragma GCC unroll 7
      for (int s = 0; s < kTaps; ++s)
        if (i - s >= 0 && i - s < Tile) y[i - s] += value * w[s];
    }
  }
  for (int t = 0; t < Tile; ++t) store(job.y + (q + t) * d.c + j, y[t]);
}

template <int Lanes, int Tile>
AVS_INLINE void row_channels(const RowJob& job, int64_t j) {
  int64_t q = 0;
  for (; q + Tile <= job.d.q; q += Tile) row_tile<Lanes, Tile>(job, q, j);
  if (q == job.d.q) return;
  if (job.d.q >= Tile) return row_tile<Lanes, Tile>(job, job.d.q - Tile, j);  // computing a column twice is harmless
  for (; q < job.d.q; ++q) row_tile<Lanes, 1>(job, q, j);
}

template <int Lanes, int Tile>
AVS_INLINE void row_seven(const RowJob& job) {
  int64_t j = 0;
  for (; j + Lanes <= job.d.c; j += Lanes) row_channels<Lanes, Tile>(job, j);
  for (; j + 4 <= job.d.c; j += 4) row_channels<4, 1>(job, j);
  for (; j < job.d.c; ++j) row_channels<1, 1>(job, j);
}

AVS_AVX512 void row_avx512(const RowJob& job) { job.d.q % 14 == 0 ? row_seven<16, 14>(job) : row_seven<16, 7>(job); }
AVS_AVX2 void row_avx2(const RowJob& job) { row_seven<8, 7>(job); }
void row_plain(const RowJob& job) { row_seven<4, 7>(job); }

struct FilterJob {
  const DepthwiseProblem& d;
  const float *x, *dy;  // one image
  int64_t first, last;  // output rows
  float* dw;
};

// Adds to the filter's gradient: Tile values of dy from column q of `row`, times the inputs under filter row r.
template <int Lanes, int Tile>
AVS_INLINE void filter_tile(const FilterJob& job, int64_t row, int64_t r, int64_t q, int64_t j,
                            Vec<Lanes> (&dw)[kTaps]) {
  const DepthwiseProblem& d = job.d;
  const int64_t first = q - d.left;
  const float* const x = job.x + ((row + r - d.top) * d.w + first) * d.c + j;
  Vec<Lanes> dy[Tile];
#pragma GCC unroll 14
  for (int t = 0; t < Tile; ++t) load(dy[t], job.dy + (row * d.q + q + t) * d.c + j);
#pragma GCC unroll 20
  for (int i = 0; i < Tile + kTaps - 1; ++i) {
    if (first + i < 0 || first + i >= d.w) continue;
    Vec<Lanes> value;
    load(value, x + i * d.c);
#pragma GCC unroll 7
    for (int s = 0; s < kTaps; ++s)
      if (i - s >= 0 && i - s < Tile) dw[s] += value * dy[i - s];
  }
}

template <int Lanes, int Tile>
AVS_INLINE void filter_channels(const FilterJob& job, int64_t j) {
  const DepthwiseProblem& d = job.d;
  for (int64_t r = 0; r < d.r; ++r) {
    Vec<Lanes> dw[kTaps];
    for (int s = 0; s < kTaps; ++s) dw[s] = Vec<Lanes>{};
    const int64_t begin = std::max(job.first, d.top - r), end = std::min(job.last, d.h + d.top - r);
    for (int64_t row = begin; row < end; ++row) {
      int64_t q = 0;
      for (; q + Tile <= d.q; q += Tile) filter_tile<Lanes, Tile>(job, row, r, q, j, dw);
      for (; q < d.q; ++q) filter_tile<Lanes, 1>(job, row, r, q, j, dw);
    }
    for (int s = 0; s < kTaps; ++s) store(job.dw + (r * kTaps + s) * d.c + j, dw[s]);
  }
}

template <int Lanes, int Tile>
AVS_INLINE void filter_seven(const FilterJob& job) {
  int64_t j = 0;
  for (; j + Lanes <= job.d.c; j += Lanes) filter_channels<Lanes, Tile>(job, j);
  for (; j + 4 <= job.d.c; j += 4) filter_channels<4, 1>(job, j);
  for (; j < job.d.c; ++j) filter_channels<1, 1>(job, j);
}

AVS_AVX512 void filter_avx512(const FilterJob& job) {
  job.d.q % 14 == 0 ? filter_seven<16, 14>(job) : filter_seven<16, 7>(job);
}
AVS_AVX2 void filter_avx2(const FilterJob& job) { filter_seven<8, 7>(job); }
void filter_plain(const FilterJob& job) { filter_seven<4, 7>(job); }

}  // namespace

DepthwiseProblem depthwise_problem(const Shape& x, const Shape& filter, const Padding& padding) {
  return {x[0],
          x[1],
          x[2],
          x[3],
          x[1] + padding.top + padding.bottom - filter[0] + 1,
          x[2] + padding.left + padding.right - filter[1] + 1,
          filter[0],
          filter[1],
          padding.top,
          padding.left};
}

void depthwise_row(const DepthwiseProblem& d, const float* x, const float* filter, const float* bias, int64_t image,
                   int64_t row, float* y) {
  const float* const of_image = x + image * d.h * d.w * d.c;
  if (d.s != kTaps) return row_any(d, of_image, filter, bias, row, y);
  for_this_machine(row_avx512, row_avx2, row_plain)({d, of_image, filter, bias, row, y});
}

void depthwise_filter_rows(const DepthwiseProblem& d, const float* x, const float* dy, int64_t image, int64_t first,
                           int64_t last, float* dw) {
  const float *const x_image = x + image * d.h * d.w * d.c, *const dy_image = dy + image * d.p * d.q * d.c;
  if (d.s != kTaps) return filter_rows_any(d, x_image, dy_image, first, last, dw);
  for_this_machine(filter_avx512, filter_avx2, filter_plain)({d, x_image, dy_image, first, last, dw});
}

}  // namespace avs::cpu
