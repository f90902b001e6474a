// The arithmetic of mixup, for rows of floats and of pixels.
#pragma once

#include <cstdint>

namespace avs::cpu {

template <typename T>
[[gnu::always_inline]] inline void mix_row(const T* a, const T* b, float lambda, int64_t n, float* y) {
  if (lambda == 1.0f) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(a[i]);
    return;
  }
  const float rest = 1.0f - lambda;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = lambda * static_cast<float>(a[i]) + rest * static_cast<float>(b[i]);
}

}  // namespace avs::cpu
