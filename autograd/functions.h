// Every differentiable function of the engine. Formulas, shapes and errors stand in tensor/ops/NAME.h, the gradient of
// each in autograd/ops/NAME.cpp right below its forward call.
#pragma once

#include "autograd/variable.h"
#include "tensor/ops/activation.h"
#include "tensor/ops/avg_pool2d.h"
#include "tensor/ops/batch_norm.h"
#include "tensor/ops/conv2d.h"

namespace avs {

// ---- convolutions and products: an undefined bias means none ----
Variable conv2d(const Variable& x, const Variable& w, const Variable& bias, Conv2dSpec spec);
Variable depthwise_conv2d(const Variable& x, const Variable& w, const Variable& bias, Padding padding);
Variable depthwise_layer_norm(const Variable& x, const Variable& w, const Variable& conv_bias, const Variable& gain,
                              const Variable& bias, Padding padding, float epsilon);
Variable linear(const Variable& x, const Variable& w, const Variable& bias);
Variable linear_gelu(const Variable& x, const Variable& w, const Variable& bias);
// linear(linear_gelu(x, w1, bias1), w2, bias2): as one, the gradient passes through the GELU on its way out of a
// product.
Variable mlp(const Variable& x, const Variable& w1, const Variable& bias1, const Variable& w2, const Variable& bias2);

// ---- normalisation: gamma and residual may be undefined ----
struct RunningMoments {
  Tensor mean, variance;  // [c]
};
// With which moments a BatchNorm normalises: the batch's, and the running ones move; or these, which stand still.
enum class Moments : uint8_t { OfBatch, Running };
// Of concat(x), without the copy: each part is read where it is and written to where it belongs.
Variable batch_norm(const std::vector<Variable>& x, const Variable& gamma, const Variable& beta,
                    const Variable& residual, const RunningMoments& running, Moments moments, BatchNormSpec spec);
// concat() of several BatchNorms' outputs, again without the copy. Where beta is undefined, of x as it is.
struct BatchNormOf {
  Variable x, gamma = {}, beta = {};
  RunningMoments running = {};
  Moments moments = Moments::OfBatch;
  BatchNormSpec spec = {};
};
Variable concat_batch_norms(const std::vector<BatchNormOf>& parts);
Variable layer_norm(const Variable& x, const Variable& gain, const Variable& bias, float epsilon);

// ---- element-wise ----
Variable relu(const Variable& x);
Variable gelu(const Variable& x);
Variable add(const Variable& a, const Variable& b);
Variable dropout(const Variable& x, float rate, const Tensor& state, uint32_t stream);
Variable scale_channels(const Variable& x, const Variable& gain);
Variable scale_residual(const Variable& x, const Variable& gain, const Variable& residual);

Variable cast(const Variable& x, DType dtype);  // its gradient arrives in x's own type again

// ---- pools and concatenation ----
Variable max_pool2d(const Variable& x, Pool2dSpec spec);
Variable avg_pool2d(const Variable& x, Pool2dSpec spec, PoolPadding counting);
Variable global_avg_pool(const Variable& x);
Variable concat(const std::vector<Variable>& parts);

// ---- fusion and losses ----
Variable weighted_sum(const std::vector<Variable>& x, const std::vector<Variable>& w, const Variable& bias,
                      Activation activation);
Variable softmax_kl(const Variable& logits, const Tensor& targets, float clip);  // [1]

}  // namespace avs
