#include "tensor/ops/batch_norm.h"

#include "tensor/check.h"

namespace avs::ops {
namespace {

void check_spec(const char* op, const BatchNormSpec& spec) {
  AVS_CHECK(UsageError, spec.activation != Activation::Gelu, op, ": the fused activation is None or Relu, not Gelu");
  AVS_CHECK(UsageError, spec.epsilon > 0.0f, op, ": epsilon must be positive, got ", spec.epsilon);
}

void check_forward(const char* op, const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                   const BatchNormSpec& spec) {
  check_spec(op, spec);
  const RowsShape shape = check_rows(op, "x", x);
  AVS_CHECK(ShapeError, shape.rows >= 1, op, ": x ", x.shape(), " has no values to normalise");
  if (gamma.defined()) check_per_channel(op, x, "gamma", gamma);
  check_per_channel(op, x, "beta", beta);
  if (residual.defined()) check_alike(op, "x", x, "residual", residual);
}

void check_backward(const char* op, const Tensor& x, const Tensor& y, const Tensor& gamma, const Tensor& dy,
                    const BatchNormSpec& spec) {
  check_spec(op, spec);
  check_rows(op, "x", x);
  check_alike(op, "x", x, "dy", dy);
  if (spec.activation == Activation::Relu) check_alike(op, "x", x, "y", y);
  if (gamma.defined()) check_per_channel(op, x, "gamma", gamma);
}

BatchNormGradients allocate_gradients(const Tensor& x, const Tensor& gamma, Residual residual, BatchNormSpec spec) {
  const Shape channels{x.shape()[-1]};
  const auto make = [&](const Shape& shape, DType dtype) { return Tensor::empty(shape, dtype, x.device()); };
  BatchNormGradients gradients{make(x.shape(), x.dtype()), gamma.defined() ? make(channels, DType::F32) : Tensor(),
                               make(channels, DType::F32), {}};
  if (residual == Residual::Added && spec.activation == Activation::Relu)
    gradients.dresidual = make(x.shape(), x.dtype());
  return gradients;
}

}  // namespace

BatchNormResult batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                           Tensor& running_mean, Tensor& running_variance, BatchNormSpec spec) {
  check_forward("batch_norm", x, gamma, beta, residual, spec);
  check_per_channel("batch_norm", x, "running_mean", running_mean);
  check_per_channel("batch_norm", x, "running_variance", running_variance);
  const Shape channels{x.shape()[-1]};
  BatchNormResult result{Tensor::empty(x.shape(), x.dtype(), x.device()),
                         Tensor::empty(channels, DType::F32, x.device()),
                         Tensor::empty(channels, DType::F32, x.device())};
  x.device().is_cuda() ? cuda::batch_norm(x, gamma, beta, residual, running_mean, running_variance, spec, result)
                       : cpu::batch_norm(x, gamma, beta, residual, running_mean, running_variance, spec, result);
  return result;
}

BatchNormGradients batch_norm_backward(const Tensor& x, const Tensor& y, const Tensor& gamma, const Tensor& mean,
                                       const Tensor& inverse_std, const Tensor& dy, Residual residual,
                                       BatchNormSpec spec) {
  check_backward("batch_norm_backward", x, y, gamma, dy, spec);
  check_per_channel("batch_norm_backward", x, "mean", mean);
  check_per_channel("batch_norm_backward", x, "inverse_std", inverse_std);
  BatchNormGradients gradients = allocate_gradients(x, gamma, residual, spec);
  x.device().is_cuda() ? cuda::batch_norm_backward(x, y, gamma, mean, inverse_std, dy, spec, gradients)
                       : cpu::batch_norm_backward(x, y, gamma, mean, inverse_std, dy, spec, gradients);
  if (residual == Residual::Added && !gradients.dresidual.defined()) gradients.dresidual = dy;
  return gradients;
}

Tensor batch_norm_inference(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                            const Tensor& mean, const Tensor& variance, BatchNormSpec spec) {
  check_forward("batch_norm_inference", x, gamma, beta, residual, spec);
  check_per_channel("batch_norm_inference", x, "mean", mean);
  check_per_channel("batch_norm_inference", x, "variance", variance);
  Tensor y = Tensor::empty(x.shape(), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::batch_norm_inference(x, gamma, beta, residual, mean, variance, spec, y)
                       : cpu::batch_norm_inference(x, gamma, beta, residual, mean, variance, spec, y);
  return y;
}

BatchNormGradients batch_norm_inference_backward(const Tensor& x, const Tensor& y, const Tensor& gamma,
                                                 const Tensor& mean, const Tensor& variance, const Tensor& dy,
                                                 Residual residual, BatchNormSpec spec) {
  check_backward("batch_norm_inference_backward", x, y, gamma, dy, spec);
  check_per_channel("batch_norm_inference_backward", x, "mean", mean);
  check_per_channel("batch_norm_inference_backward", x, "variance", variance);
  BatchNormGradients gradients = allocate_gradients(x, gamma, residual, spec);
  x.device().is_cuda() ? cuda::batch_norm_inference_backward(x, y, gamma, mean, variance, dy, spec, gradients)
                       : cpu::batch_norm_inference_backward(x, y, gamma, mean, variance, dy, spec, gradients);
  if (residual == Residual::Added && !gradients.dresidual.defined()) gradients.dresidual = dy;
  return gradients;
}

}  // namespace avs::ops
