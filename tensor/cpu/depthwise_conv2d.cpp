// Depthwise convolution on the CPU: our own loops over the contiguous channels, since libraries use layouts for wide
// products.
#include "tensor/ops/depthwise_conv2d.h"

#include <algorithm>

#include "tensor/cpu/depthwise_rows.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

constexpr int64_t kRows = 8;  // output rows per partial gradient, whatever the thread count

AVS_SIMD void add_partials(const float* partials, int64_t count, int64_t size, int64_t first, int64_t last,
                           float* sum) {
  std::fill(sum + first, sum + last, 0.0f);
  for (int64_t i = 0; i < count; ++i)
    for (int64_t j = first; j < last; ++j) sum[j] += partials[i * size + j];
}

}  // namespace

void depthwise_conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Padding padding, Tensor& y) {
  const DepthwiseProblem d = depthwise_problem(x.shape(), w.shape(), padding);
  const float *from = x.data<float>(), *filter = w.data<float>();
  const float* shift = bias.defined() ? bias.data<float>() : nullptr;
  float* to = y.data<float>();
  parallel_for(d.n * d.p, 1, [=](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) depthwise_row(d, from, filter, shift, i / d.p, i % d.p, to + i * d.q * d.c);
  });
}

// The input's gradient is a convolution of dy with the filter rotated by 180 degrees.
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

// Each block of rows has its own partial gradient, and these are added in order: the result does not depend on the
// thread count.
void depthwise_conv2d_backward_filter(const Tensor& x, const Tensor& dy, Padding padding, Tensor& dw) {
  const DepthwiseProblem d = depthwise_problem(x.shape(), dw.shape(), padding);
  const int64_t blocks = (d.p + kRows - 1) / kRows, size = dw.size();
  Tensor partials = Tensor::empty({d.n * blocks, size});
  const float *from = x.data<float>(), *upstream = dy.data<float>();
  float *partial = partials.data<float>(), *sum = dw.data<float>();
  parallel_for(d.n * blocks, 1, [=](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) {
      const int64_t row = i % blocks * kRows;
      depthwise_filter_rows(d, from, upstream, i / blocks, row, std::min(d.p, row + kRows), partial + i * size);
    }
  });
  parallel_for(size, 1024, [=](int64_t a, int64_t b) { add_partials(partial, d.n * blocks, size, a, b, sum); });
}

}  // namespace avs::cpu
