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
// x side by side, without a concat.
Variable batch_norm(const std::vector<Variable>& x, const Variable& gamma, const Variable& beta,
                    const Variable& residual, const RunningMoments& running, BatchNormSpec spec);
// The same, written to slices of tensors. A slice's Variable has the whole tensor as its value, and so has its gradient.
std::vector<Variable> batch_norm(const std::vector<Variable>& x, const Variable& gamma, const Variable& beta,
                                 const Variable& residual, RunningMoments running, BatchNormSpec spec,
                                 std::vector<ChannelSlice> y);
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
// Pools channels [first, first + count) in place and leaves the others: x must have no other reader.
Variable avg_pool_channels(const Variable& x, int64_t first, int64_t count, Pool2dSpec spec, PoolPadding counting);
Variable concat(const std::vector<Variable>& parts);
Variable write_channels(const Variable& x, ChannelSlice y);  // a slice, as batch_norm writes them
Variable join(const std::vector<Variable>& slices);          // the tensor whose channels they are
Variable stack(const std::vector<Variable>& parts);          // one below the other: joined along the first axis

// ---- fusion and losses ----
Variable weighted_sum(const std::vector<Variable>& x, const std::vector<Variable>& w, const Variable& bias,
                      Activation activation);
Variable softmax_kl(const Variable& logits, const Tensor& targets, float clip);  // [1]

}  // namespace avs
