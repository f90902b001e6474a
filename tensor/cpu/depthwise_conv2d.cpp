// Depthwise convolution on the CPU: own loops over the contiguous channels, since libraries lay out for wide products.
#include "tensor/ops/depthwise_conv2d.h"

#include <algorithm>
#include <vector>

#include "tensor/cpu/depthwise_rows.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

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

// The output columns for which filter column s falls into the input.
struct Columns {
  int64_t first, last;
};
Columns columns_of(const DepthwiseProblem& d, int64_t s) {
  return {std::clamp<int64_t>(d.left - s, 0, d.q), std::clamp<int64_t>(d.w + d.left - s, 0, d.q)};
}

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
  for (int64_t q = 0; q < d.q; ++q)
    bias != nullptr ? std::copy_n(bias, d.c, y + q * d.c) : std::fill_n(y + q * d.c, d.c, 0.0f);
  for (int64_t r = 0; r < d.r; ++r) {
    const int64_t from = row + r - d.top;
    if (from < 0 || from >= d.h) continue;
    const float* x_row = x + (image * d.h + from) * d.w * d.c;
    for (int64_t s = 0; s < d.s; ++s) {
      const auto [first, last] = columns_of(d, s);
      if (first < last)
        multiply_add(x_row + (first + s - d.left) * d.c, filter + (r * d.s + s) * d.c, y + first * d.c, last - first,
                     d.c);
    }
  }
}

void depthwise_conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Padding padding, Tensor& y) {
  const DepthwiseProblem d = depthwise_problem(x.shape(), w.shape(), padding);
  const float *from = x.data<float>(), *filter = w.data<float>();
  const float* shift = bias.defined() ? bias.data<float>() : nullptr;
  float* to = y.data<float>();
  parallel_for(d.n * d.p, 1, [=](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) depthwise_row(d, from, filter, shift, i / d.p, i % d.p, to + i * d.q * d.c);
  });
}

// The gradient of the input is a convolution of dy with the filter turned by half a turn.
void depthwise_conv2d_backward_input(const Tensor& w, const Tensor& dy, Padding padding, Tensor& dx) {
  const Shape& f = w.shape();
  const int64_t taps = f[0] * f[1], c = f[2];
  Tensor turned = Tensor::empty(f);
  for (int64_t t = 0; t < taps; ++t) std::copy_n(w.data<float>() + t * c, c, turned.data<float>() + (taps - 1 - t) * c);
  const DepthwiseProblem d{dy.shape()[0],          dy.shape()[1],          dy.shape()[2], c,
                           dx.shape()[1],          dx.shape()[2],          f[0],          f[1],
                           f[0] - 1 - padding.top, f[1] - 1 - padding.left};
  const float *from = dy.data<float>(), *filter = turned.data<float>();
  float* to = dx.data<float>();
  parallel_for(d.n * d.p, 1, [=](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) depthwise_row(d, from, filter, nullptr, i / d.p, i % d.p, to + i * d.q * d.c);
  });
}

// One partial gradient per image, added in order: the result does not depend on the number of threads.
void depthwise_conv2d_backward_filter(const Tensor& x, const Tensor& dy, Padding padding, Tensor& dw) {
  const DepthwiseProblem d = depthwise_problem(x.shape(), dw.shape(), padding);
  Tensor partials = Tensor::zeros({d.n, dw.size()});
  const float *from = x.data<float>(), *upstream = dy.data<float>();
  float* partial = partials.data<float>();
  parallel_for(d.n, 1, [=](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i)
      for (int64_t p = 0; p < d.p; ++p)
        for (int64_t r = 0; r < d.r; ++r) {
          const int64_t row = p + r - d.top;
          if (row < 0 || row >= d.h) continue;
          for (int64_t s = 0; s < d.s; ++s) {
            const auto [first, last] = columns_of(d, s);
            if (first < last)
              dot_pixels(from + ((i * d.h + row) * d.w + first + s - d.left) * d.c,
                         upstream + ((i * d.p + p) * d.q + first) * d.c, partial + ((i * d.r + r) * d.s + s) * d.c,
                         last - first, d.c);
          }
        }
  });
  float* sum = dw.data<float>();
  dw.zero();
  for (int64_t i = 0; i < d.n; ++i)
    for (int64_t j = 0; j < dw.size(); ++j) sum[j] += partial[i * dw.size() + j];
}

}  // namespace avs::cpu
