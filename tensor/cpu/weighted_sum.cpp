// The fusion sum on the CPU. Memory bound; bytes an element: forward 4 for each x and 4 for y; backward 8 for each x (x,
// dx), 4 for dy and, with ReLU, 4 for y. A row of y stays in the L1 cache while the x are added one by one.
#include "tensor/ops/weighted_sum.h"

#include <algorithm>

#include "tensor/cpu/rows.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

AVS_SIMD void start_row(const float* x, const float* w, const float* bias, int64_t n, float* y) {
#pragma omp simd
  for (int64_t k = 0; k < n; ++k) y[k] = bias[k] + w[k] * x[k];
}

AVS_SIMD void add_row(const float* x, const float* w, int64_t n, float* y) {
#pragma omp simd
  for (int64_t k = 0; k < n; ++k) y[k] += w[k] * x[k];
}

AVS_SIMD void relu_row(int64_t n, float* y) {
#pragma omp simd
  for (int64_t k = 0; k < n; ++k) y[k] = y[k] < 0.0f ? 0.0f : y[k];
}

// Computes g of one row, and its part of dbias; y is null without a ReLU.
AVS_SIMD void gradient_row(const float* y, const float* dy, int64_t n, float* g, float* dbias) {
#pragma omp simd
  for (int64_t k = 0; k < n; ++k) {
    g[k] = y == nullptr || y[k] > 0.0f ? dy[k] : 0.0f;
    dbias[k] += g[k];
  }
}

AVS_SIMD void input_row(const float* x, const float* w, const float* g, int64_t n, float* dx, float* dw) {
#pragma omp simd
  for (int64_t k = 0; k < n; ++k) {
    dx[k] = g[k] * w[k];
    dw[k] += g[k] * x[k];
  }
}

std::vector<std::vector<float>> all_repeated(const std::vector<Tensor>& w, int64_t fold) {
  std::vector<std::vector<float>> wide;
  for (const Tensor& t : w) wide.push_back(repeated(t.data<float>(), t.size(), fold));
  return wide;
}

}  // namespace

void weighted_sum(const std::vector<Tensor>& x, const std::vector<Tensor>& w, const Tensor& bias, Activation activation,
                  Tensor& y) {
  const int64_t d = y.shape()[-1];
  const WideRows wide = wide_rows(y.size() / d, d);
  const std::vector<std::vector<float>> weights = all_repeated(w, wide.fold);
  const std::vector<float> biases = repeated(bias.data<float>(), d, wide.fold);
  float* to = y.data<float>();
  for_wide_rows(wide, [&](int64_t first, int64_t elements) {
    for (int64_t i = first; i < first + elements; i += wide.width) {
      const int64_t n = std::min(wide.width, first + elements - i);
      start_row(x[0].data<float>() + i, weights[0].data(), biases.data(), n, to + i);
      for (size_t j = 1; j < x.size(); ++j) add_row(x[j].data<float>() + i, weights[j].data(), n, to + i);
      if (activation == Activation::Relu) relu_row(n, to + i);
    }
  });
}

void weighted_sum_backward(const std::vector<Tensor>& x, const std::vector<Tensor>& w, const Tensor& y,
                           const Tensor& dy, Activation activation, WeightedSumGradients& gradients) {
  const int64_t d = dy.shape()[-1], rows = dy.size() / d;
  const WideRows wide = wide_rows(rows, d);
  const std::vector<std::vector<float>> weights = all_repeated(w, wide.fold);
  const float* out = activation == Activation::Relu ? y.data<float>() : nullptr;
  const float* upstream = dy.data<float>();
  const int quantities = static_cast<int>(x.size()) + 1;  // dw of each x, then dbias
  const std::vector<double> sums =
      sum_over_rows(rows, d, quantities, [&](int64_t first, int64_t elements, float* piece) {
        std::vector<float> g(static_cast<size_t>(wide.width));
        float* const dbias = piece + static_cast<int64_t>(x.size()) * wide.width;
        for (int64_t i = first; i < first + elements; i += wide.width) {
          const int64_t n = std::min(wide.width, first + elements - i);
          gradient_row(out == nullptr ? nullptr : out + i, upstream + i, n, g.data(), dbias);
          for (size_t j = 0; j < x.size(); ++j)
            input_row(x[j].data<float>() + i, weights[j].data(), g.data(), n, gradients.dx[j].data<float>() + i,
                      piece + static_cast<int64_t>(j) * wide.width);
        }
      });
  const auto write = [&](size_t quantity, Tensor& to) {
    const double* from = sums.data() + static_cast<int64_t>(quantity) * d;
    std::transform(from, from + d, to.data<float>(), [](double v) { return static_cast<float>(v); });
  };
  for (size_t j = 0; j < x.size(); ++j) write(j, gradients.dw[j]);
  write(x.size(), gradients.dbias);
}

}  // namespace avs::cpu
