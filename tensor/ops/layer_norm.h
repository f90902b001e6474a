// Layer normalisation over the last axis (Ba et al. 2016), rows = all other axes:
//   x_hat = (x - mean) * inverse_std,   inverse_std = 1 / sqrt(var + epsilon),   y = gain * x_hat + bias
// var is the biased variance of the row. Gradients, with g = dy * gain:
//   dx = inverse_std * (g - mean(g) - x_hat * mean(g * x_hat)),   dgain = sum dy * x_hat,   dbias = sum dy
// x, y and their gradients are activations of one type; gain, bias, the statistics and their gradients are f32.
#pragma once

#include "tensor/tensor.h"

namespace avs {

struct LayerNormResult {
  Tensor y;
  Tensor mean, inverse_std;  // [rows]: saved for backward, which also needs x
};
struct LayerNormGradients {
  Tensor dx, dgain, dbias;
};

}  // namespace avs

namespace avs::ops {
LayerNormResult layer_norm(const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon);
LayerNormGradients layer_norm_backward(const Tensor& x, const Tensor& gain, const Tensor& mean,
                                       const Tensor& inverse_std, const Tensor& dy);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void layer_norm(const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon, LayerNormResult& result);
void layer_norm_backward(const Tensor& x, const Tensor& gain, const Tensor& mean, const Tensor& inverse_std,
                         const Tensor& dy, LayerNormGradients& gradients);
}  // namespace avs::cpu
namespace avs::cuda {
void layer_norm(const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon, LayerNormResult& result);
void layer_norm_backward(const Tensor& x, const Tensor& gain, const Tensor& mean, const Tensor& inverse_std,
                         const Tensor& dy, LayerNormGradients& gradients);
}  // namespace avs::cuda
