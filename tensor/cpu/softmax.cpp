// Softmax on the CPU. A row has about ten classes and stays in the L1 cache for its three reads.
#include "tensor/ops/softmax.h"

#include <algorithm>
#include <cmath>

#include "tensor/cpu/simd_math.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

int64_t grain_of(int64_t c) { return std::max<int64_t>(1, (1 << 12) / c); }

[[gnu::always_inline]] inline float max_of(const float* x, int64_t c) {
  float largest = x[0];
#pragma omp simd reduction(max : largest)
  for (int64_t k = 0; k < c; ++k) largest = x[k] > largest ? x[k] : largest;
  return largest;
}

AVS_SIMD void softmax_rows(const float* x, int64_t rows, int64_t c, float* y) {
  for (int64_t r = 0; r < rows; ++r, x += c, y += c) {
    const float largest = max_of(x, c);
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = 0; k < c; ++k) {
      y[k] = exp_simd(x[k] - largest);
      sum += static_cast<double>(y[k]);
    }
    const auto scale = static_cast<float>(1.0 / sum);
#pragma omp simd
    for (int64_t k = 0; k < c; ++k) y[k] *= scale;
  }
}

}  // namespace

void softmax(const Tensor& x, Tensor& y) {
  const int64_t c = x.shape()[-1];
  const float* from = x.data<float>();
  float* to = y.data<float>();
  parallel_for(x.size() / c, grain_of(c),
               [=](int64_t a, int64_t b) { softmax_rows(from + a * c, b - a, c, to + a * c); });
}

}  // namespace avs::cpu
