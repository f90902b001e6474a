// Linear layers on CUDA: matrix products over rows = all axes but the last, in the activations' type. Weights are f32
// masters; with 16-bit activations each product first rounds them to a copy (6 bytes moved per weight).
#include "tensor/ops/linear.h"

#include "cuda/blas.h"
#include "tensor/ops/cast.h"
#include "tensor/ops/gelu.h"

namespace avs::cuda {

void linear(const Tensor& x, const Tensor& w, const Tensor& bias, Activation activation, Tensor& y) {
  const int64_t out = w.shape()[0], in = w.shape()[1];
  if (y.size() == 0) return;
  product({.m = y.size() / out, .n = out, .k = in, .b = Order::Transposed, .activation = activation}, x,
          ops::cast(w, x.dtype()), bias, y);
}

void linear_gelu(const Tensor& x, const Tensor& w, const Tensor& bias, LinearGeluResult& result) {
  const int64_t out = w.shape()[0], in = w.shape()[1];
  if (result.y.size() == 0) return;
  product({.m = result.y.size() / out, .n = out, .k = in, .b = Order::Transposed, .activation = Activation::Gelu}, x,
          ops::cast(w, x.dtype()), bias, result.y, &result.pre);
}

void linear_backward_input(const Tensor& w, const Tensor& dy, Tensor& dx) {
  const int64_t out = w.shape()[0], in = w.shape()[1];
  if (dx.size() == 0) return;
  product({.m = dx.size() / in, .n = in, .k = out}, dy, ops::cast(w, dy.dtype()), {}, dx);
}

void linear_backward_gelu(const Tensor& pre, const Tensor& w, const Tensor& dy, Tensor& dpre) {
  const int64_t out = w.shape()[0], in = w.shape()[1];
  if (dpre.size() == 0) return;
  const MatMul through{.m = dpre.size() / in, .n = in, .k = out};
  const Tensor weight = ops::cast(w, dy.dtype());
  if (product_through_gelu(through, dy, weight, pre, dpre)) return;
  Tensor dx = Tensor::empty(dpre.shape(), dpre.dtype(), dpre.device());
  product(through, dy, weight, {}, dx);
  gelu_backward(pre, dx, dpre);
}

void linear_backward_weight(const Tensor& x, const Tensor& dy, Tensor& dw) {
  const int64_t out = dw.shape()[0], in = dw.shape()[1];
  if (x.size() == 0) return dw.zero();
  product({.m = out, .n = in, .k = x.size() / in, .a = Order::Transposed}, dy, x, {}, dw);
}

}  // namespace avs::cuda
