// Adam on the CPU: memory bound, 28 bytes a parameter (p, m, v read and written, the gradient read).
#include "tensor/ops/adam.h"

#include <cmath>

#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

// Both placements of epsilon are one form: p -= rate * m / (root_scale * sqrt(v) + epsilon).
struct Step {
  float rate, root_scale;
};

Step step_of(const AdamSpec& spec, const float* scalars) {
  const double rate = double{scalars[0]}, t = double{scalars[1]};
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

AVS_SIMD void ema_range(float* average, const float* value, int64_t n, float decay) {
  const float weight = 1.0f - decay;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) average[i] = decay * average[i] + weight * value[i];
}

}  // namespace

void adam(Tensor& parameters, const Tensor& gradients, Tensor& m, Tensor& v, const Tensor& scalars, AdamSpec spec) {
  const Step step = step_of(spec, scalars.data<float>());
  float* p = parameters.data<float>();
  const float* g = gradients.data<float>();
  float* first = m.data<float>();
  float* second = v.data<float>();
  parallel_for(parameters.size(), 1 << 14,
               [=](int64_t a, int64_t b) { adam_range(p + a, g + a, first + a, second + a, b - a, spec, step); });
}

void ema(Tensor& average, const Tensor& value, float decay) {
  float* to = average.data<float>();
  const float* from = value.data<float>();
  parallel_for(average.size(), 1 << 14, [=](int64_t a, int64_t b) { ema_range(to + a, from + a, b - a, decay); });
}

}  // namespace avs::cpu
