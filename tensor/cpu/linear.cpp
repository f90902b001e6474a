// Linear layers on the CPU: matrix products over rows = all axes but the last.
#include "tensor/ops/linear.h"

#include "tensor/cpu/matmul.h"
#include "tensor/ops/gelu.h"

namespace avs::cpu {

void linear(const Tensor& x, const Tensor& w, const Tensor& bias, Activation activation, Tensor& y) {
  const int64_t out = w.shape()[0], in = w.shape()[1];
  if (y.size() == 0) return;
  matmul({.m = y.size() / out, .n = out, .k = in, .b = Order::Transposed, .activation = activation}, x.data<float>(),
         w.data<float>(), bias.defined() ? bias.data<float>() : nullptr, y.data<float>());
}

void linear_gelu(const Tensor& x, const Tensor& w, const Tensor& bias, LinearGeluResult& result) {
  linear(x, w, bias, Activation::None, result.pre);
  gelu(result.pre, result.y);
}

void linear_backward_input(const Tensor& w, const Tensor& dy, Tensor& dx) {
  const int64_t out = w.shape()[0], in = w.shape()[1];
  if (dx.size() == 0) return;
  matmul({.m = dx.size() / in, .n = in, .k = out}, dy.data<float>(), w.data<float>(), nullptr, dx.data<float>());
}

void linear_backward_gelu(const Tensor& pre, const Tensor& w, const Tensor& dy, Tensor& dpre) {
  linear_backward_input(w, dy, dpre);
  gelu_backward(pre, dpre, dpre);  // in place
}

void linear_backward_weight(const Tensor& x, const Tensor& dy, Tensor& dw) {
  const int64_t out = dw.shape()[0], in = dw.shape()[1];
  if (x.size() == 0) return dw.zero();
  matmul({.m = out, .n = in, .k = x.size() / in, .a = Order::Transposed}, dy.data<float>(), x.data<float>(), nullptr,
         dw.data<float>());
}

}  // namespace avs::cpu
