#include "tensor/ops/adam.h"

#include "tensor/check.h"

namespace avs::ops {

void adam(Tensor& parameters, const Tensor& gradients, Tensor& m, Tensor& v, const Tensor& scalars, AdamSpec spec) {
  check_f32("adam", "parameters", parameters);
  check_alike("adam", "parameters", parameters, "gradients", gradients);
  check_alike("adam", "parameters", parameters, "m", m);
  check_alike("adam", "parameters", parameters, "v", v);
  check_f32("adam", "scalars", scalars);
  AVS_CHECK(ShapeError, scalars.shape() == Shape({2}) && scalars.device() == parameters.device(),
            "adam: scalars must be [2] = learning rate, step, on ", parameters.device(), ", got ", scalars.shape(),
            " on ", scalars.device());
  AVS_CHECK(UsageError, spec.beta1 >= 0.0f && spec.beta1 < 1.0f && spec.beta2 >= 0.0f && spec.beta2 < 1.0f,
            "adam: beta1 and beta2 must lie in [0, 1), got ", spec.beta1, " and ", spec.beta2);
  parameters.device().is_cuda() ? cuda::adam(parameters, gradients, m, v, scalars, spec)
                                : cpu::adam(parameters, gradients, m, v, scalars, spec);
}

void ema(Tensor& average, const Tensor& value, float decay) {
  check_f32("ema", "average", average);
  check_alike("ema", "average", average, "value", value);
  AVS_CHECK(UsageError, decay >= 0.0f && decay <= 1.0f, "ema: decay must lie in [0, 1], got ", decay);
  average.device().is_cuda() ? cuda::ema(average, value, decay) : cpu::ema(average, value, decay);
}

}  // namespace avs::ops
