// ReLU on the CPU: memory bound, 8 bytes an element forward, 12 backward. NaN stays NaN, so that a diverged run is
// visible.
#include "tensor/ops/relu.h"

#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

AVS_SIMD void relu_range(const float* x, float* y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

AVS_SIMD void relu_backward_range(const float* y, const float* dy, float* dx, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

}  // namespace

void relu(const Tensor& x, Tensor& y) {
  const float* from = x.data<float>();
  float* to = y.data<float>();
  parallel_for(x.size(), 1 << 14, [=](int64_t a, int64_t b) { relu_range(from + a, to + a, b - a); });
}

void relu_backward(const Tensor& y, const Tensor& dy, Tensor& dx) {
  const float* out = y.data<float>();
  const float* upstream = dy.data<float>();
  float* to = dx.data<float>();
  parallel_for(y.size(), 1 << 14,
               [=](int64_t a, int64_t b) { relu_backward_range(out + a, upstream + a, to + a, b - a); });
}

}  // namespace avs::cpu
