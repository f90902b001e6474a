// Adam on CUDA: memory bound, 28 bytes a parameter (p, m, v read and written, the gradient read). A whole training step
// in bf16 moves 62: before Adam come casts of the weights (12) and of their gradients (6), the copy of the gradients
// into the arena (8), the search for non-finite values (4) and the sum of squares (4). One thread computes the step's
// two powers in double in a kernel of its own, because computing them in every thread would take longer than updating
// its parameters.
#include "cuda/elementwise.cuh"
#include "tensor/ops/adam.h"

namespace avs::cuda {
namespace {

// Both placements of epsilon have one form: p -= rate * m / (root_scale * sqrt(v) + epsilon).
struct Step {
  float rate, root_scale, factor;  // factor scales the gradients; 0 skips the step
};

__global__ void adam_step_kernel(AdamSpec spec, const float* __restrict__ scalars, const float* __restrict__ scaling,
                                 Step* __restrict__ step) {
  const double skipped = scaling == nullptr ? 0.0 : static_cast<double>(scaling[2]);
  const double rate = static_cast<double>(scalars[0]), t = static_cast<double>(scalars[1]) - skipped;
  const double correction1 = 1.0 - pow(static_cast<double>(spec.beta1), t);
  const double root2 = sqrt(1.0 - pow(static_cast<double>(spec.beta2), t));
  const bool corrected = spec.placement == AdamEpsilon::Corrected;
  step->rate = static_cast<float>(corrected ? rate / correction1 : rate * root2 / correction1);
  step->root_scale = corrected ? static_cast<float>(1.0 / root2) : 1.0f;
  step->factor = scaling == nullptr ? 1.0f : scaling[3];
}

template <int N>
__device__ inline void adam_items(AdamSpec spec, const Step& step, float* p, const float* gradient, float* m,
                                  float* v) {
  Pack<float, N> at = load_pack<N>(p), first = load_pack<N>(m), second = load_pack<N>(v);
  const Pack<float, N> gradients = load_pack<N>(gradient);
#pragma unroll
  for (int k = 0; k < N; ++k) {
    const float g = step.factor * gradients.at[k] + spec.l2 * at.at[k];
    first.at[k] = spec.beta1 * first.at[k] + (1.0f - spec.beta1) * g;
    second.at[k] = spec.beta2 * second.at[k] + (1.0f - spec.beta2) * g * g;
    at.at[k] -= step.rate * first.at[k] / (step.root_scale * sqrtf(second.at[k]) + spec.epsilon);
  }
  store_pack(p, at);
  store_pack(m, first);
  store_pack(v, second);
}

template <int N>
__global__ void __launch_bounds__(kBlock)
    adam_kernel(int64_t n, AdamSpec spec, const Step* __restrict__ step_of_spec, float* __restrict__ p,
                const float* __restrict__ gradient, float* __restrict__ m, float* __restrict__ v) {
  const Step step = *step_of_spec;
  if (step.factor == 0.0f) return;
  const int64_t packs = n / N;
  for (int64_t i = first_item(); i < packs; i += item_stride())
    adam_items<N>(spec, step, p + i * N, gradient + i * N, m + i * N, v + i * N);
  if constexpr (N > 1)
    for (int64_t i = packs * N + first_item(); i < n; i += item_stride())
      adam_items<1>(spec, step, p + i, gradient + i, m + i, v + i);
}

__global__ void loss_scale_kernel(const unsigned* __restrict__ first_bad, LossScale kind, float* __restrict__ scaling) {
  const bool good = (first_bad[0] & first_bad[1]) == 0xffffffffu;
  scaling[3] = good ? 1.0f / scaling[0] : 0.0f;
  if (kind == LossScale::Fixed) return;
  scaling[1] = good ? scaling[1] + 1.0f : 0.0f;
  if (!good) {
    scaling[2] += 1.0f;
    scaling[0] *= 0.5f;
  } else if (scaling[1] >= kGoodSteps) {
    scaling[1] = 0.0f;
    scaling[0] = fminf(2.0f * scaling[0], kMaxScale);
  }
}

struct Average {
  float decay;
  __device__ float operator()(float average, float value) const { return decay * average + (1.0f - decay) * value; }
};

}  // namespace

void adam(Tensor& parameters, const Tensor& gradients, Tensor& m, Tensor& v, const Tensor& scalars, AdamSpec spec,
          const Tensor& scaling) {
  const Device device = parameters.device();
  const int64_t n = parameters.size();
  Tensor scratch = Tensor::empty({static_cast<int64_t>(sizeof(Step))}, DType::U8, device);
  auto* const step = reinterpret_cast<Step*>(scratch.raw());
  launch("adam_step", adam_step_kernel, {.blocks = dim3(1), .threads = dim3(1)}, device, spec, scalars.data<float>(),
         scaling.defined() ? scaling.data<float>() : nullptr, step);
  float *const p = parameters.data<float>(), *const first = m.data<float>(), *const second = v.data<float>();
  const float* const g = gradients.data<float>();
  const auto run = [&](auto kernel, int width) {
    launch("adam", kernel, over(blocks_for(n, width), device), device, n, spec, step, p, g, first, second);
  };
  packs<4>(0, p, g, first, second) ? run(adam_kernel<4>, 4) : run(adam_kernel<1>, 1);
}

void update_loss_scale(Tensor& scaling, const Tensor& first_bad, LossScale kind) {
  launch("loss_scale", loss_scale_kernel, {.blocks = dim3(1), .threads = dim3(1)}, scaling.device(),
         static_cast<const unsigned*>(first_bad.raw()), kind, scaling.data<float>());
}

void ema(Tensor& average, const Tensor& value, float decay) {
  map_elements("ema", average.size(), average.device(), Average{decay}, average.data<float>(), average.data<float>(),
               value.data<float>());
}

}  // namespace avs::cuda
