// Adam (Kingma and Ba 2015), all parameters in one pass over one arena:
//   g = grad + l2 * p,   m = beta1 m + (1 - beta1) g,   v = beta2 v + (1 - beta2) g^2
//   Corrected:  p -= rate * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)       PyTorch; the paper's Algorithm 1
//   Hat:        p -= rate * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + epsilon)     Keras, TensorFlow
// Epsilon of the two differs by the factor sqrt(1 - beta2^t), which begins at about 1/32: a reproduction must choose.
// `scalars` is f32 [2] on the device = learning rate, step t (from 1), so that a captured step can be replayed.
//
// Loss scaling (Micikevicius et al. 2018): f16 gradients below 6e-8 become zero, so backward starts from `scale`
// instead of 1. All state is on the device, where update_loss_scale() and then adam() use it without synchronising with
// the host: `scaling` f32 [4] = scale, good steps in a row, steps skipped so far, factor of this step's gradients.
//   every gradient finite:  factor = 1 / scale;  after kGoodSteps of them the scale doubles, to kMaxScale at most
//   else:                   factor = 0: adam() updates nothing and t does not count the step;  the scale halves
// LossScale::Fixed changes only the factor.
#pragma once

#include "tensor/tensor.h"

namespace avs {

enum class AdamEpsilon : uint8_t { Corrected, Hat };

struct AdamSpec {
  float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-7f;
  AdamEpsilon placement = AdamEpsilon::Hat;
  float l2 = 0.0f;  // added to the gradient (Adam), not decoupled (AdamW)
};

enum class LossScale : uint8_t { Fixed, Dynamic };
inline constexpr float kFirstScale = 65536.0f, kMaxScale = 16777216.0f, kGoodSteps = 2000.0f;

}  // namespace avs

namespace avs::ops {
// Without `scaling`, gradients are used unscaled.
void adam(Tensor& parameters, const Tensor& gradients, Tensor& m, Tensor& v, const Tensor& scalars, AdamSpec spec,
          const Tensor& scaling = {});
// first_bad: the result of ops::find_non_finite() on all gradients.
void update_loss_scale(Tensor& scaling, const Tensor& first_bad, LossScale kind);
// Exponential moving average of weights:   average = decay * average + (1 - decay) * value
void ema(Tensor& average, const Tensor& value, float decay);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void adam(Tensor& parameters, const Tensor& gradients, Tensor& m, Tensor& v, const Tensor& scalars, AdamSpec spec,
          const Tensor& scaling);
void update_loss_scale(Tensor& scaling, const Tensor& first_bad, LossScale kind);
void ema(Tensor& average, const Tensor& value, float decay);
}  // namespace avs::cpu
namespace avs::cuda {
void adam(Tensor& parameters, const Tensor& gradients, Tensor& m, Tensor& v, const Tensor& scalars, AdamSpec spec,
          const Tensor& scaling);
void update_loss_scale(Tensor& scaling, const Tensor& first_bad, LossScale kind);
void ema(Tensor& average, const Tensor& value, float decay);
}  // namespace avs::cuda
