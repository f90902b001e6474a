#include "tensor/ops/weighted_sum.h"

#include "tensor/check.h"

namespace avs::ops {
namespace {

void check(const char* op, const std::vector<Tensor>& x, const std::vector<Tensor>& w, Activation activation) {
  AVS_CHECK(ShapeError, !x.empty() && x.size() == w.size(), op, ": got ", x.size(), " tensors and ", w.size(),
            " weights; there must be one weight for each, and at least one");
  AVS_CHECK(UsageError, activation != Activation::Gelu, op, ": the activation is None or Relu, not Gelu");
  check_rows(op, "x[0]", x[0]);
  AVS_CHECK(ShapeError, x[0].shape().rank() == 2, op, ": x[0] must be [n, d], got ", x[0].shape());
  for (size_t i = 0; i < x.size(); ++i) {
    check_alike(op, "x[0]", x[0], str("x[", i, "]").c_str(), x[i]);
    check_per_channel(op, x[0], str("w[", i, "]").c_str(), w[i]);
  }
}

}  // namespace

Tensor weighted_sum(const std::vector<Tensor>& x, const std::vector<Tensor>& w, const Tensor& bias,
                    Activation activation) {
  check("weighted_sum", x, w, activation);
  check_per_channel("weighted_sum", x[0], "bias", bias);
  Tensor y = Tensor::empty(x[0].shape(), x[0].dtype(), x[0].device());
  y.device().is_cuda() ? cuda::weighted_sum(x, w, bias, activation, y) : cpu::weighted_sum(x, w, bias, activation, y);
  return y;
}

WeightedSumGradients weighted_sum_backward(const std::vector<Tensor>& x, const std::vector<Tensor>& w, const Tensor& y,
                                           const Tensor& dy, Activation activation) {
  check("weighted_sum_backward", x, w, activation);
  check_alike("weighted_sum_backward", "x[0]", x[0], "dy", dy);
  if (activation == Activation::Relu) check_alike("weighted_sum_backward", "x[0]", x[0], "y", y);
  WeightedSumGradients gradients;
  for (size_t i = 0; i < x.size(); ++i) {
    gradients.dx.push_back(Tensor::empty(dy.shape(), dy.dtype(), dy.device()));
    gradients.dw.push_back(Tensor::empty(w[i].shape(), DType::F32, dy.device()));
  }
  gradients.dbias = Tensor::empty(w[0].shape(), DType::F32, dy.device());
  dy.device().is_cuda() ? cuda::weighted_sum_backward(x, w, y, dy, activation, gradients)
                        : cpu::weighted_sum_backward(x, w, y, dy, activation, gradients);
  return gradients;
}

}  // namespace avs::ops
