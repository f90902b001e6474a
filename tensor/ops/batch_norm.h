// Batch normalisation over the last axis (Ioffe and Szegedy 2015), with the residual sum and ReLU that follow it in our
// networks done in the same pass. Over the rows = n*h*w values of a channel:
//   x_hat = (x - mean) * inverse_std,   inverse_std = 1 / sqrt(var + epsilon)   (biased variance)
//   y = activation(gamma * x_hat + beta + residual)
// gamma may be undefined (1: Keras' InceptionV3 has none), residual may be undefined (0). Training uses the batch's
// statistics and moves the running ones:  running = (1 - new_value_weight) * running + new_value_weight * batch.
// Gradients, g = dy where the ReLU let through:   dbeta = sum g,   dgamma = sum g * x_hat,   dresidual = g,
//   dx = gamma * inverse_std * (g - mean(g) - x_hat * mean(g * x_hat))
// x, y, residual and their gradients are activations of one type; what belongs to a channel is f32.
#pragma once

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
};
struct BatchNormResult {
  Tensor y;
  Tensor mean, inverse_std;  // [c] of this batch: what backward needs besides x and y
};
struct BatchNormGradients {
  Tensor dx, dgamma, dbeta;  // dgamma is undefined where gamma is
  Tensor dresidual;          // undefined where there is no residual; may share memory with dy
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
}  // namespace avs::ops

// What each backend provides. Outputs arrive allocated and checked.
namespace avs::cpu {
void batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual, Tensor& running_mean,
                Tensor& running_variance, BatchNormSpec spec, BatchNormResult& result);
void batch_norm_backward(const Tensor& x, const Tensor& y, const Tensor& gamma, const Tensor& mean,
                         const Tensor& inverse_std, const Tensor& dy, BatchNormSpec spec, BatchNormGradients& gradients);
void batch_norm_inference(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                          const Tensor& mean, const Tensor& variance, BatchNormSpec spec, Tensor& y);
void batch_norm_inference_backward(const Tensor& x, const Tensor& y, const Tensor& gamma, const Tensor& mean,
                                   const Tensor& variance, const Tensor& dy, BatchNormSpec spec,
                                   BatchNormGradients& gradients);
}  // namespace avs::cpu
namespace avs::cuda {
void batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual, Tensor& running_mean,
                Tensor& running_variance, BatchNormSpec spec, BatchNormResult& result);
void batch_norm_backward(const Tensor& x, const Tensor& y, const Tensor& gamma, const Tensor& mean,
                         const Tensor& inverse_std, const Tensor& dy, BatchNormSpec spec, BatchNormGradients& gradients);
void batch_norm_inference(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                          const Tensor& mean, const Tensor& variance, BatchNormSpec spec, Tensor& y);
void batch_norm_inference_backward(const Tensor& x, const Tensor& y, const Tensor& gamma, const Tensor& mean,
                                   const Tensor& variance, const Tensor& dy, BatchNormSpec spec,
                                   BatchNormGradients& gradients);
}  // namespace avs::cuda
