#include "tensor/ops/linear.h"

#include "tensor/check.h"

namespace avs::ops {
namespace {

Shape linear_shape(const char* op, const Shape& x, const Shape& w) {
  AVS_CHECK(ShapeError, w.rank() == 2, op, ": the weight must be [out, in], got ", w);
  AVS_CHECK(ShapeError, x.rank() >= 1 && x[-1] == w[1], op, ": input ", x, " has ", x.rank() >= 1 ? x[-1] : 0,
            " features, weight ", w, " takes ", w[1]);
  return x.with(-1, w[0]);
}

Shape checked(const char* op, const Tensor& x, const Tensor& w, const Tensor& bias) {
  const Shape y = linear_shape(op, x.shape(), w.shape());
  AVS_CHECK(ShapeError, !bias.defined() || bias.shape() == Shape{y[-1]}, op, ": weight ", w.shape(), " needs a bias [",
            y[-1], "], got ", bias.shape());
  check_same_device(op, {{"x", x}, {"w", w}, {"bias", bias}});
  return y;
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias, Activation activation) {
  Tensor y = Tensor::empty(checked("linear", x, w, bias), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::linear(x, w, bias, activation, y) : cpu::linear(x, w, bias, activation, y);
  return y;
}

LinearGeluResult linear_gelu(const Tensor& x, const Tensor& w, const Tensor& bias) {
  const Shape y = checked("linear_gelu", x, w, bias);
  LinearGeluResult result{Tensor::empty(y, x.dtype(), x.device()), Tensor::empty(y, x.dtype(), x.device())};
  x.device().is_cuda() ? cuda::linear_gelu(x, w, bias, result) : cpu::linear_gelu(x, w, bias, result);
  return result;
}

Tensor linear_backward_input(const Shape& x, const Tensor& w, const Tensor& dy) {
  const Shape y = linear_shape("linear_backward_input", x, w.shape());
  AVS_CHECK(ShapeError, dy.shape() == y, "linear_backward_input: the output is ", y, " but dy is ", dy.shape());
  check_same_device("linear_backward_input", {{"dy", dy}, {"w", w}});
  Tensor dx = Tensor::empty(x, dy.dtype(), dy.device());
  dy.device().is_cuda() ? cuda::linear_backward_input(w, dy, dx) : cpu::linear_backward_input(w, dy, dx);
  return dx;
}

Tensor linear_backward_gelu(const Tensor& pre, const Tensor& w, const Tensor& dy) {
  const Shape y = linear_shape("linear_backward_gelu", pre.shape(), w.shape());
  AVS_CHECK(ShapeError, dy.shape() == y && dy.dtype() == pre.dtype(), "linear_backward_gelu: the output is ",
            pre.dtype(), " ", y, " but dy is ", dy.dtype(), " ", dy.shape());
  check_same_device("linear_backward_gelu", {{"pre", pre}, {"w", w}, {"dy", dy}});
  Tensor dpre = Tensor::empty(pre.shape(), dy.dtype(), dy.device());
  dy.device().is_cuda() ? cuda::linear_backward_gelu(pre, w, dy, dpre) : cpu::linear_backward_gelu(pre, w, dy, dpre);
  return dpre;
}

Tensor linear_backward_weight(const Tensor& x, const Shape& w, const Tensor& dy) {
  const Shape y = linear_shape("linear_backward_weight", x.shape(), w);
  AVS_CHECK(ShapeError, dy.shape() == y, "linear_backward_weight: the output is ", y, " but dy is ", dy.shape());
  check_same_device("linear_backward_weight", {{"x", x}, {"dy", dy}});
  Tensor dw = Tensor::empty(w, DType::F32, dy.device());
  dy.device().is_cuda() ? cuda::linear_backward_weight(x, dy, dw) : cpu::linear_backward_weight(x, dy, dw);
  return dw;
}

}  // namespace avs::ops
