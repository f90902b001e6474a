#include "tensor/ops/depthwise_layer_norm.h"

#include "tensor/check.h"
#include "tensor/ops/depthwise_conv2d.h"

namespace avs::ops {
namespace {

void check_vector(const char* name, const Tensor& v, int64_t channels) {
  AVS_CHECK(ShapeError, v.shape() == Shape{channels}, "depthwise_layer_norm: ", name, " must be [", channels, "], got ",
            v.shape());
}

}  // namespace

DepthwiseLayerNormResult depthwise_layer_norm(const Tensor& x, const Tensor& w, const Tensor& conv_bias,
                                              const Tensor& gain, const Tensor& bias, Padding padding, float epsilon) {
  const Shape shape = depthwise_conv2d_shape(x.shape(), w.shape(), padding);
  check_vector("the convolution's bias", conv_bias, shape[-1]);
  check_vector("gain", gain, shape[-1]);
  check_vector("bias", bias, shape[-1]);
  check_same_device("depthwise_layer_norm",
                    {{"x", x}, {"w", w}, {"the convolution's bias", conv_bias}, {"gain", gain}, {"bias", bias}});
  DepthwiseLayerNormResult result{Tensor::empty(shape, x.dtype(), x.device()),
                                  Tensor::empty(shape, x.dtype(), x.device()),
                                  Tensor::empty({shape.size() / shape[-1]}, DType::F32, x.device())};
  x.device().is_cuda() ? cuda::depthwise_layer_norm(x, w, conv_bias, gain, bias, padding, epsilon, result)
                       : cpu::depthwise_layer_norm(x, w, conv_bias, gain, bias, padding, epsilon, result);
  return result;
}

DepthwiseLayerNormGradients depthwise_layer_norm_backward(const Tensor& x, const Tensor& w, const Tensor& gain,
                                                          const Tensor& x_hat, const Tensor& inverse_std,
                                                          const Tensor& dy, Padding padding) {
  const Shape shape = depthwise_conv2d_shape(x.shape(), w.shape(), padding);
  AVS_CHECK(ShapeError, dy.shape() == shape && x_hat.shape() == shape, "depthwise_layer_norm_backward: the output is ",
            shape, " but dy is ", dy.shape(), " and x_hat ", x_hat.shape());
  AVS_CHECK(ShapeError, inverse_std.size() == shape.size() / shape[-1],
            "depthwise_layer_norm_backward: inverse_std must have ", shape.size() / shape[-1], " elements, got ",
            inverse_std.shape());
  check_vector("gain", gain, shape[-1]);
  check_same_device("depthwise_layer_norm_backward",
                    {{"x", x}, {"w", w}, {"gain", gain}, {"x_hat", x_hat}, {"inverse_std", inverse_std}, {"dy", dy}});
  DepthwiseLayerNormGradients gradients{
      Tensor::empty(x.shape(), x.dtype(), x.device()), Tensor::empty(w.shape(), DType::F32, x.device()),
      Tensor::empty(gain.shape(), DType::F32, x.device()), Tensor::empty(gain.shape(), DType::F32, x.device()),
      Tensor::empty(gain.shape(), DType::F32, x.device())};
  x.device().is_cuda() ? cuda::depthwise_layer_norm_backward(x, w, gain, x_hat, inverse_std, dy, padding, gradients)
                       : cpu::depthwise_layer_norm_backward(x, w, gain, x_hat, inverse_std, dy, padding, gradients);
  return gradients;
}

}  // namespace avs::ops
