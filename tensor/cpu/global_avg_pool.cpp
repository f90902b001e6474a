#include "tensor/ops/global_avg_pool.h"

#include <algorithm>

#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

AVS_SIMD void mean_pixels(const float* x, float* y, int64_t pixels, int64_t c) {
  for (int64_t i = 0; i < pixels; ++i)
#pragma omp simd
    for (int64_t j = 0; j < c; ++j) y[j] += x[i * c + j];
  const float weight = 1.0f / static_cast<float>(pixels);
#pragma omp simd
  for (int64_t j = 0; j < c; ++j) y[j] *= weight;
}

AVS_SIMD void spread(const float* dy, float* dx, int64_t pixels, int64_t c) {
  const float weight = 1.0f / static_cast<float>(pixels);
  for (int64_t i = 0; i < pixels; ++i)
#pragma omp simd
    for (int64_t j = 0; j < c; ++j) dx[i * c + j] = dy[j] * weight;
}

}  // namespace

void global_avg_pool(const Tensor& x, Tensor& y) {
  const auto [n, h, w, c] = as_nhwc(x.shape());
  const float* from = x.data<float>();
  float* to = y.data<float>();
  parallel_for(n, 1, [=, pixels = h * w, c = c](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) {
      std::fill_n(to + i * c, c, 0.0f);
      mean_pixels(from + i * pixels * c, to + i * c, pixels, c);
    }
  });
}

void global_avg_pool_backward(const Tensor& dy, Tensor& dx) {
  const auto [n, h, w, c] = as_nhwc(dx.shape());
  const float* upstream = dy.data<float>();
  float* to = dx.data<float>();
  parallel_for(n, 1, [=, pixels = h * w, c = c](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) spread(upstream + i * c, to + i * pixels * c, pixels, c);
  });
}

}  // namespace avs::cpu
