#include "tensor/ops/layer_norm.h"

#include "tensor/check.h"

namespace avs::ops {

LayerNormResult layer_norm(const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon) {
  const RowsShape shape = check_rows("layer_norm", "x", x);
  check_per_channel("layer_norm", x, "gain", gain);
  check_per_channel("layer_norm", x, "bias", bias);
  AVS_CHECK(UsageError, epsilon > 0.0f, "layer_norm: epsilon must be positive, got ", epsilon);
  LayerNormResult result{Tensor::empty(x.shape(), x.dtype(), x.device()),
                         Tensor::empty({shape.rows}, DType::F32, x.device()),
                         Tensor::empty({shape.rows}, DType::F32, x.device())};
  x.device().is_cuda() ? cuda::layer_norm(x, gain, bias, epsilon, result)
                       : cpu::layer_norm(x, gain, bias, epsilon, result);
  return result;
}

LayerNormGradients layer_norm_backward(const Tensor& x, const Tensor& gain, const Tensor& mean,
                                       const Tensor& inverse_std, const Tensor& dy) {
  const RowsShape shape = check_rows("layer_norm_backward", "x", x);
  check_alike("layer_norm_backward", "x", x, "dy", dy);
  check_per_channel("layer_norm_backward", x, "gain", gain);
  check_alike("layer_norm_backward", "mean", mean, "inverse_std", inverse_std);
  AVS_CHECK(ShapeError, mean.shape() == Shape({shape.rows}), "layer_norm_backward: x ", x.shape(), " has ", shape.rows,
            " rows, but mean is ", mean.shape());
  check_same_device("layer_norm_backward", {{"x", x}, {"mean", mean}});
  LayerNormGradients gradients{Tensor::empty(x.shape(), x.dtype(), x.device()),
                               Tensor::empty({shape.c}, DType::F32, x.device()),
                               Tensor::empty({shape.c}, DType::F32, x.device())};
  x.device().is_cuda() ? cuda::layer_norm_backward(x, gain, mean, inverse_std, dy, gradients)
                       : cpu::layer_norm_backward(x, gain, mean, inverse_std, dy, gradients);
  return gradients;
}

}  // namespace avs::ops
