// A fully connected layer over the last axis: x [..., in], w [out, in], bias [out]:
//   y = activation(x w^T + bias)        dx = dy w        dw = dy^T x        dbias = sum_rows(dy)
// A 1x1 convolution in NHWC is this product, so ConvNeXt's pointwise layers are Linear.
#pragma once

#include "tensor/ops/activation.h"
#include "tensor/tensor.h"

namespace avs {

struct LinearGeluResult {
  Tensor y;
  Tensor pre;  // x w^T + bias, the activation's input: gelu_backward needs it
};

}  // namespace avs

namespace avs::ops {
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias, Activation activation = Activation::None);
LinearGeluResult linear_gelu(const Tensor& x, const Tensor& w, const Tensor& bias);  // for training: also returns pre
Tensor linear_backward_input(const Shape& x, const Tensor& w, const Tensor& dy);
// Backward through the product and the GELU before it, x = gelu(pre):   dpre = gelu'(pre) * (dy w)
Tensor linear_backward_gelu(const Tensor& pre, const Tensor& w, const Tensor& dy);
Tensor linear_backward_weight(const Tensor& x, const Shape& w, const Tensor& dy);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void linear(const Tensor& x, const Tensor& w, const Tensor& bias, Activation activation, Tensor& y);
void linear_gelu(const Tensor& x, const Tensor& w, const Tensor& bias, LinearGeluResult& result);
void linear_backward_input(const Tensor& w, const Tensor& dy, Tensor& dx);
void linear_backward_gelu(const Tensor& pre, const Tensor& w, const Tensor& dy, Tensor& dpre);
void linear_backward_weight(const Tensor& x, const Tensor& dy, Tensor& dw);
}  // namespace avs::cpu
namespace avs::cuda {
void linear(const Tensor& x, const Tensor& w, const Tensor& bias, Activation activation, Tensor& y);
void linear_gelu(const Tensor& x, const Tensor& w, const Tensor& bias, LinearGeluResult& result);
void linear_backward_input(const Tensor& w, const Tensor& dy, Tensor& dx);
void linear_backward_gelu(const Tensor& pre, const Tensor& w, const Tensor& dy, Tensor& dpre);
void linear_backward_weight(const Tensor& x, const Tensor& dy, Tensor& dw);
}  // namespace avs::cuda
