// Layer normalisation on the CPU: memory bound, 8 bytes an element forward, 12 backward; a row stays in the L1 cache
// for its second read.
#include "tensor/ops/layer_norm.h"

#include <algorithm>
#include <cmath>

#include "tensor/cpu/rows.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

AVS_SIMD void normalise_rows(const float* x, const float* gain, const float* bias, float epsilon, int64_t rows,
                             int64_t c, float* y, float* means, float* inverse_stds) {
  const float share = 1.0f / static_cast<float>(c);
  for (int64_t r = 0; r < rows; ++r, x += c, y += c) {
    float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < c; ++k) sum += x[k];
    const float mean = sum * share;
#pragma omp simd reduction(+ : squares)
    for (int64_t k = 0; k < c; ++k) squares += (x[k] - mean) * (x[k] - mean);
    const float inverse_std = 1.0f / std::sqrt(squares * share + epsilon);
#pragma omp simd
    for (int64_t k = 0; k < c; ++k) y[k] = (x[k] - mean) * inverse_std * gain[k] + bias[k];
    means[r] = mean;
    inverse_stds[r] = inverse_std;
  }
}

// Computes dx of some rows, and their part of dgain and dbias. Rows narrower than `width` add to separate sums.
AVS_SIMD void backward_rows(const float* x, const float* gain, const float* means, const float* inverse_stds,
                            const float* dy, int64_t rows, int64_t c, int64_t width, float* dx, float* dgain,
                            float* dbias) {
  const float share = 1.0f / static_cast<float>(c);
  int64_t place = 0;
  for (int64_t r = 0; r < rows; ++r, x += c, dy += c, dx += c) {
    const float mean = means[r], inverse_std = inverse_stds[r];
    float *gain_sums = dgain + place, *bias_sums = dbias + place;
    float sum_g = 0, sum_gx = 0;
#pragma omp simd reduction(+ : sum_g, sum_gx)
    for (int64_t k = 0; k < c; ++k) {
      const float x_hat = (x[k] - mean) * inverse_std, g = dy[k] * gain[k];
      gain_sums[k] += dy[k] * x_hat;
      bias_sums[k] += dy[k];
      sum_g += g;
      sum_gx += g * x_hat;
    }
    const float mean_g = sum_g * share, mean_gx = sum_gx * share;
#pragma omp simd
    for (int64_t k = 0; k < c; ++k) {
      const float x_hat = (x[k] - mean) * inverse_std;
      dx[k] = inverse_std * (dy[k] * gain[k] - mean_g - x_hat * mean_gx);
    }
    place = place + c == width ? 0 : place + c;
  }
}

}  // namespace

void layer_norm(const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon, LayerNormResult& result) {
  const int64_t c = x.shape()[-1];
  const float *from = x.data<float>(), *g = gain.data<float>(), *b = bias.data<float>();
  float *y = result.y.data<float>(), *mean = result.mean.data<float>(), *inverse_std = result.inverse_std.data<float>();
  parallel_for(x.size() / c, std::max<int64_t>(1, (1 << 14) / c), [=](int64_t first, int64_t last) {
    normalise_rows(from + first * c, g, b, epsilon, last - first, c, y + first * c, mean + first, inverse_std + first);
  });
}

void layer_norm_backward(const Tensor& x, const Tensor& gain, const Tensor& mean, const Tensor& inverse_std,
                         const Tensor& dy, LayerNormGradients& gradients) {
  const int64_t c = x.shape()[-1], rows = x.size() / c;
  const int64_t width = wide_rows(rows, c).width;
  const float *from = x.data<float>(), *g = gain.data<float>(), *upstream = dy.data<float>();
  const float *means = mean.data<float>(), *inverse_stds = inverse_std.data<float>();
  float* dx = gradients.dx.data<float>();
  const std::vector<double> sums = sum_over_rows(rows, c, 2, [=](int64_t first, int64_t n, float* piece) {
    const int64_t row = first / c;
    backward_rows(from + first, g, means + row, inverse_stds + row, upstream + first, n / c, c, width, dx + first,
                  piece, piece + width);
  });
  const auto narrow = [](double v) { return static_cast<float>(v); };
  std::transform(sums.begin(), sums.begin() + c, gradients.dgain.data<float>(), narrow);
  std::transform(sums.begin() + c, sums.end(), gradients.dbias.data<float>(), narrow);
}

}  // namespace avs::cpu
