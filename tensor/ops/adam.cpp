#include "tensor/ops/adam.h"

#include "tensor/check.h"

namespace avs::ops {
namespace {

void check_scaling(const char* op, const Tensor& scaling) {
  check_f32(op, "scaling", scaling);
  AVS_CHECK(ShapeError, scaling.shape() == Shape({4}), op,
            ": scaling must be [4] = scale, good steps, skipped steps, factor, got ", scaling.shape());
}

}  // namespace

void adam(Tensor& parameters, const Tensor& gradients, Tensor& m, Tensor& v, const Tensor& scalars, AdamSpec spec,
          const Tensor& scaling) {
  check_f32("adam", "parameters", parameters);
  check_alike("adam", "parameters", parameters, "gradients", gradients);
  check_alike("adam", "parameters", parameters, "m", m);
  check_alike("adam", "parameters", parameters, "v", v);
  check_f32("adam", "scalars", scalars);
  AVS_CHECK(ShapeError, scalars.shape() == Shape({2}), "adam: scalars must be [2] = learning rate, step, got ",
            scalars.shape());
  if (scaling.defined()) check_scaling("adam", scaling);
  check_same_device("adam", {{"parameters", parameters}, {"scalars", scalars}, {"scaling", scaling}});
  AVS_CHECK(UsageError, spec.beta1 >= 0.0f && spec.beta1 < 1.0f && spec.beta2 >= 0.0f && spec.beta2 < 1.0f,
            "adam: beta1 and beta2 must lie in [0, 1), got ", spec.beta1, " and ", spec.beta2);
  parameters.device().is_cuda() ? cuda::adam(parameters, gradients, m, v, scalars, spec, scaling)
                                : cpu::adam(parameters, gradients, m, v, scalars, spec, scaling);
}

void update_loss_scale(Tensor& scaling, const Tensor& first_bad, LossScale kind) {
  check_scaling("update_loss_scale", scaling);
  AVS_CHECK(ShapeError, first_bad.defined() && first_bad.dtype() == DType::I32 && first_bad.shape() == Shape({2}),
            "update_loss_scale: first_bad must be what find_non_finite() gave, i32 [2]");
  check_same_device("update_loss_scale", {{"scaling", scaling}, {"first_bad", first_bad}});
  scaling.device().is_cuda() ? cuda::update_loss_scale(scaling, first_bad, kind)
                             : cpu::update_loss_scale(scaling, first_bad, kind);
}

void ema(Tensor& average, const Tensor& value, float decay) {
  check_f32("ema", "average", average);
  check_alike("ema", "average", average, "value", value);
  AVS_CHECK(UsageError, decay >= 0.0f && decay <= 1.0f, "ema: decay must lie in [0, 1], got ", decay);
  average.device().is_cuda() ? cuda::ema(average, value, decay) : cpu::ema(average, value, decay);
}

}  // namespace avs::ops
