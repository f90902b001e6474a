// Batch normalisation over the last axis (Ioffe and Szegedy 2015), with the residual sum and ReLU that follow it in our
// networks done in the same pass. Over the rows = n*h*w values of a channel:
//   x_hat = (x - mean) * inverse_std,   inverse_std = 1 / sqrt(var + epsilon)   (biased variance)
//   y = activation(gamma * x_hat + beta + residual)
// gamma may be undefined (1: Keras' InceptionV3 has none), residual may be undefined (0). Training uses the batch's
// statistics and moves the running ones:  running = (1 - new_value_weight) * running + new_value_weight * batch.
// Gradients, g = dy where the ReLU let through:   dbeta = sum g,   dgamma = sum g * x_hat,   dresidual = g,
//   dx = gamma * inverse_std * (g - mean(g) - x_hat * mean(g * x_hat))
// x, y, residual and their gradients are activations of one type; what belongs to a channel is f32.
//
// The branches of an inception block end in BatchNorms whose outputs stand side by side. The forms for `parts` read
// each branch where it is and write, and backward read, the block's tensor in place: no concat copies anything.
#pragma once

#include <vector>

#include "tensor/ops/activation.h"
#include "tensor/tensor.h"

namespace avs {

// What enters the running variance. TensorFlow's fused kernel and PyTorch correct the bias, Keras 3 does not.
enum class RunningVariance : uint8_t { Unbiased, Biased };

enum class Residual : uint8_t { None, Added };  // was a residual added in the forward pass?

struct BatchNormSpec {
  float epsilon = 1e-3f;
  float new_value_weight = 0.01f;  // Keras' momentum 0.99 is 0.01 here; PyTorch's momentum 0.1 is 0.1
  RunningVariance running_variance = RunningVariance::Unbiased;
  Activation activation = Activation::None;  // None or Relu
  bool operator==(const BatchNormSpec&) const = default;
};
struct BatchNormResult {
  Tensor y;
  Tensor mean, inverse_std;  // [c] of this batch: what backward needs besides x and y
};

// One BatchNorm of several side by side: x [..., c] is normalised to channels first .. first + c - 1 of y.
struct BatchNormPart {
  Tensor x;
  int64_t first = 0;
  Tensor gamma = {}, beta = {};
  Tensor running_mean = {}, running_variance = {};
  Tensor mean = {}, inverse_std = {};  // of this batch: made in training, read by its backward
};
struct BatchNormGradients {
  Tensor dx, dgamma, dbeta;  // dgamma is undefined where gamma is
  Tensor dresidual;          // undefined where there is no residual; may share memory with dy
};
struct BatchNormPartGradients {
  Tensor dx, dgamma, dbeta;  // where dgamma and dbeta are defined, they are written there
  bool wants_dx = true;      // of all parts or of none; without, dx stays undefined and a pass over memory is saved
};

}  // namespace avs

namespace avs::ops {
BatchNormResult batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                           Tensor& running_mean, Tensor& running_variance, BatchNormSpec spec);
// y is the forward's output: its sign is the ReLU's mask (unused where spec.activation is None).
BatchNormGradients batch_norm_backward(const Tensor& x, const Tensor& y, const Tensor& gamma, const Tensor& mean,
                                       const Tensor& inverse_std, const Tensor& dy, Residual residual,
                                       BatchNormSpec spec);
// Inference: mean and variance are the running statistics.
Tensor batch_norm_inference(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                            const Tensor& mean, const Tensor& variance, BatchNormSpec spec);
// The gradient of batch_norm_inference, for fine-tuning with frozen statistics.
BatchNormGradients batch_norm_inference_backward(const Tensor& x, const Tensor& y, const Tensor& gamma,
                                                 const Tensor& mean, const Tensor& variance, const Tensor& dy,
                                                 Residual residual, BatchNormSpec spec);

// ---- several side by side: y, residual, dy and dresidual are [..., width] ----

// Writes the parts' channels of y, and no others.
void batch_norm_parts(std::vector<BatchNormPart>& parts, const Tensor& residual, BatchNormSpec spec, Tensor& y);
void batch_norm_parts_inference(const std::vector<BatchNormPart>& parts, const Tensor& residual, BatchNormSpec spec,
                                Tensor& y);
// `gradients`: one for each part. dresidual is written where it is defined; it is dy where there is no ReLU.
void batch_norm_parts_backward(const std::vector<BatchNormPart>& parts, const Tensor& y, const Tensor& dy,
                               BatchNormSpec spec, std::vector<BatchNormPartGradients>& gradients, Tensor& dresidual);
void batch_norm_parts_inference_backward(const std::vector<BatchNormPart>& parts, const Tensor& y, const Tensor& dy,
                                         BatchNormSpec spec, std::vector<BatchNormPartGradients>& gradients,
                                         Tensor& dresidual);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void batch_norm(std::vector<BatchNormPart>& parts, const Tensor& residual, BatchNormSpec spec, Tensor& y);
void batch_norm_backward(const std::vector<BatchNormPart>& parts, const Tensor& y, const Tensor& dy, BatchNormSpec spec,
                         std::vector<BatchNormPartGradients>& gradients, Tensor& dresidual);
void batch_norm_inference(const std::vector<BatchNormPart>& parts, const Tensor& residual, BatchNormSpec spec,
                          Tensor& y);
void batch_norm_inference_backward(const std::vector<BatchNormPart>& parts, const Tensor& y, const Tensor& dy,
                                   BatchNormSpec spec, std::vector<BatchNormPartGradients>& gradients,
                                   Tensor& dresidual);
}  // namespace avs::cpu
namespace avs::cuda {
void batch_norm(std::vector<BatchNormPart>& parts, const Tensor& residual, BatchNormSpec spec, Tensor& y);
void batch_norm_backward(const std::vector<BatchNormPart>& parts, const Tensor& y, const Tensor& dy, BatchNormSpec spec,
                         std::vector<BatchNormPartGradients>& gradients, Tensor& dresidual);
void batch_norm_inference(const std::vector<BatchNormPart>& parts, const Tensor& residual, BatchNormSpec spec,
                          Tensor& y);
void batch_norm_inference_backward(const std::vector<BatchNormPart>& parts, const Tensor& y, const Tensor& dy,
                                   BatchNormSpec spec, std::vector<BatchNormPartGradients>& gradients,
                                   Tensor& dresidual);
}  // namespace avs::cuda
