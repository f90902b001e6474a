// Adam on the CPU: memory bound, 28 bytes a parameter (p, m, v read and written, the gradient read).
#include "tensor/ops/adam.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tensor/ops/reduce.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

// Both placements of epsilon have one form: p -= rate * m / (root_scale * sqrt(v) + epsilon).
struct Step {
  float rate, root_scale;
};

Step step_of(const AdamSpec& spec, const float* scalars, float skipped) {
  const double rate = double{scalars[0]}, t = double{scalars[1]} - double{skipped};
  const double correction1 = 1.0 - std::pow(double{spec.beta1}, t);
  const double root2 = std::sqrt(1.0 - std::pow(double{spec.beta2}, t));
  return spec.placement == AdamEpsilon::Corrected
             ? Step{static_cast<float>(rate / correction1), static_cast<float>(1.0 / root2)}
             : Step{static_cast<float>(rate * root2 / correction1), 1.0f};
}

AVS_SIMD void adam_range(float* p, const float* gradient, float* m, float* v, int64_t n, AdamSpec spec, Step step) {
  const float beta1 = spec.beta1, beta2 = spec.beta2, l2 = spec.l2, epsilon = spec.epsilon;
  const float new1 = 1.0f - beta1, new2 = 1.0f - beta2;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    const float g = gradient[i] + l2 * p[i];
    m[i] = beta1 * m[i] + new1 * g;
    v[i] = beta2 * v[i] + new2 * g * g;
    p[i] -= step.rate * m[i] / (step.root_scale * std::sqrt(v[i]) + epsilon);
  }
}

AVS_SIMD void scale_range(const float* from, float factor, int64_t n, float* to) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) to[i] = factor * from[i];
}

AVS_SIMD void ema_range(float* average, const float* value, int64_t n, float decay) {
  const float weight = 1.0f - decay;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) average[i] = decay * average[i] + weight * value[i];
}

}  // namespace

void adam(Tensor& parameters, const Tensor& gradients, Tensor& m, Tensor& v, const Tensor& scalars, AdamSpec spec,
          const Tensor& scaling) {
  constexpr int64_t kPiece = 1024;  // gradients that are scaled at a time: they stay in the L1 cache
  const float factor = scaling.defined() ? scaling.data<float>()[3] : 1.0f;
  if (factor == 0.0f) return;
  const Step step = step_of(spec, scalars.data<float>(), scaling.defined() ? scaling.data<float>()[2] : 0.0f);
  float* p = parameters.data<float>();
  const float* g = gradients.data<float>();
  float* first = m.data<float>();
  float* second = v.data<float>();
  parallel_for(parameters.size(), 1 << 14, [=](int64_t a, int64_t b) {
    if (factor == 1.0f) return adam_range(p + a, g + a, first + a, second + a, b - a, spec, step);
    std::array<float, kPiece> scaled;
    for (int64_t i = a; i < b; i += kPiece) {
      const int64_t n = std::min(kPiece, b - i);
      scale_range(g + i, factor, n, scaled.data());
      adam_range(p + i, scaled.data(), first + i, second + i, n, spec, step);
    }
  });
}

void update_loss_scale(Tensor& scaling, const Tensor& first_bad, LossScale kind) {
  float* const s = scaling.data<float>();
  const bool good = ops::index_of(first_bad.data<int32_t>()) < 0;
  s[3] = good ? 1.0f / s[0] : 0.0f;
  if (kind == LossScale::Fixed) return;
  s[1] = good ? s[1] + 1.0f : 0.0f;
  if (!good) {
    s[2] += 1.0f;
    s[0] *= 0.5f;
  } else if (s[1] >= kGoodSteps) {
    s[1] = 0.0f;
    s[0] = std::min(2.0f * s[0], kMaxScale);
  }
}

void ema(Tensor& average, const Tensor& value, float decay) {
  float* to = average.data<float>();
  const float* from = value.data<float>();
  parallel_for(average.size(), 1 << 14, [=](int64_t a, int64_t b) { ema_range(to + a, from + a, b - a, decay); });
}

}  // namespace avs::cpu
