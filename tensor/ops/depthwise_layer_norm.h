// The first half of a ConvNeXt block in one pass: depthwise convolution, bias and layer normalisation of each pixel,
//   y = gain * x_hat + bias,   x_hat = normalised over c of  depthwise_conv2d(x, w, conv_bias)
// The convolution's output is normalised while it is in cache and never written to memory. Backward needs x, x_hat and
// inverse_std; see layer_norm.h and depthwise_conv2d.h for the formulas.
#pragma once

#include "tensor/ops/conv2d.h"
#include "tensor/tensor.h"

namespace avs {

struct DepthwiseLayerNormResult {
  Tensor y;
  Tensor x_hat;        // shape of y
  Tensor inverse_std;  // [n*h*w]
};
struct DepthwiseLayerNormGradients {
  Tensor dx, dw, dconv_bias, dgain, dbias;
};

}  // namespace avs

namespace avs::ops {
DepthwiseLayerNormResult depthwise_layer_norm(const Tensor& x, const Tensor& w, const Tensor& conv_bias,
                                              const Tensor& gain, const Tensor& bias, Padding padding, float epsilon);
DepthwiseLayerNormGradients depthwise_layer_norm_backward(const Tensor& x, const Tensor& w, const Tensor& gain,
                                                          const Tensor& x_hat, const Tensor& inverse_std,
                                                          const Tensor& dy, Padding padding);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void depthwise_layer_norm(const Tensor& x, const Tensor& w, const Tensor& conv_bias, const Tensor& gain,
                          const Tensor& bias, Padding padding, float epsilon, DepthwiseLayerNormResult& result);
void depthwise_layer_norm_backward(const Tensor& x, const Tensor& w, const Tensor& gain, const Tensor& x_hat,
                                   const Tensor& inverse_std, const Tensor& dy, Padding padding,
                                   DepthwiseLayerNormGradients& gradients);
}  // namespace avs::cpu
namespace avs::cuda {
void depthwise_layer_norm(const Tensor& x, const Tensor& w, const Tensor& conv_bias, const Tensor& gain,
                          const Tensor& bias, Padding padding, float epsilon, DepthwiseLayerNormResult& result);
void depthwise_layer_norm_backward(const Tensor& x, const Tensor& w, const Tensor& gain, const Tensor& x_hat,
                                   const Tensor& inverse_std, const Tensor& dy, Padding padding,
                                   DepthwiseLayerNormGradients& gradients);
}  // namespace avs::cuda
