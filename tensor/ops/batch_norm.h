// Batch normalisation over the last axis (Ioffe and Szegedy 2015), with the residual sum and ReLU that follow it in our
// networks done in the same pass. Over the rows = n*h*w values of a channel:
//   x_hat = (x - mean) * inverse_std,   inverse_std = 1 / sqrt(var + epsilon)   (biased variance)
//   y = activation(gamma * x_hat + beta + residual)
// gamma may be undefined (1: Keras' InceptionV3 has none), residual may be undefined (0). Training uses the batch's
// statistics and moves the running ones:  running = (1 - new_value_weight) * running + new_value_weight * batch, the
// variance with its bias corrected (TensorFlow's fused kernel, PyTorch).
// Gradients, g = dy where the ReLU let through:   dbeta = sum g,   dgamma = sum g * x_hat,   dresidual = g,
//   dx = gamma * inverse_std * (g - mean(g) - x_hat * mean(g * x_hat));   with fixed moments dx = gamma * inverse_std * g
// x, y, residual and their gradients are activations of one type; what belongs to a channel is f32 [c].
//
// The c channels may lie in several tensors side by side: x is a list of tensors, y a list of slices, both in the order
// of the channels. So the branches of an inception block are normalised at once, each to where it is read next: a tensor
// of its own or its channels of the block's output. At most kMaxBatchNormSlices in a list.
#pragma once

#include <vector>

#include "tensor/channel_slice.h"
#include "tensor/ops/activation.h"

namespace avs {

inline constexpr size_t kMaxBatchNormSlices = 8;

// The moments that normalise: the batch's, and the running ones move; or the running ones, which stand still.
enum class Moments : uint8_t { OfBatch, Running };

struct BatchNormSpec {
  float epsilon = 1e-3f;
  float new_value_weight = 0.01f;            // Keras' momentum 0.99 is 0.01 here; PyTorch's momentum 0.1 is 0.1
  Activation activation = Activation::None;  // None or Relu
  Moments moments = Moments::OfBatch;
};
struct RunningMoments {
  Tensor mean, variance;
};
struct BatchNormMoments {  // these normalised: backward reads them
  Tensor mean, inverse_std;
};
struct BatchNormGradients {
  std::vector<Tensor> dx;  // shaped like x; empty: not wanted
  Tensor dgamma, dbeta;    // dgamma is undefined where gamma is
  Tensor dresidual;        // undefined: not wanted
};

namespace ops {
// Writes y's channels and no others. residual is shaped like y, which is one slice then.
BatchNormMoments batch_norm(const std::vector<Tensor>& x, const Tensor& gamma, const Tensor& beta,
                            const Tensor& residual, RunningMoments& running, BatchNormSpec spec,
                            std::vector<ChannelSlice>& y);
// Writes what `gradients` holds of dx and dresidual, and makes dgamma and dbeta. y is the forward's output: its sign is
// the ReLU's mask (unused without ReLU). dy has the slices of y.
void batch_norm_backward(const std::vector<Tensor>& x, const std::vector<ChannelSlice>& y, const Tensor& gamma,
                         const BatchNormMoments& moments, const std::vector<ChannelSlice>& dy, BatchNormSpec spec,
                         BatchNormGradients& gradients);
}  // namespace ops

}  // namespace avs

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void batch_norm(const std::vector<Tensor>& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                RunningMoments& running, BatchNormSpec spec, BatchNormMoments& moments, std::vector<ChannelSlice>& y);
void batch_norm_backward(const std::vector<Tensor>& x, const std::vector<ChannelSlice>& y, const Tensor& gamma,
                         const BatchNormMoments& moments, const std::vector<ChannelSlice>& dy, BatchNormSpec spec,
                         BatchNormGradients& gradients);
}  // namespace avs::cpu
namespace avs::cuda {
void batch_norm(const std::vector<Tensor>& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                RunningMoments& running, BatchNormSpec spec, BatchNormMoments& moments, std::vector<ChannelSlice>& y);
void batch_norm_backward(const std::vector<Tensor>& x, const std::vector<ChannelSlice>& y, const Tensor& gamma,
                         const BatchNormMoments& moments, const std::vector<ChannelSlice>& dy, BatchNormSpec spec,
                         BatchNormGradients& gradients);
}  // namespace avs::cuda
