// The sum in the fusion functions (docs/paper.md#fusions):
//   y[n,d] = sum over i of  w_i[d] * x_i[n,d]  + bias[d]
// An optional ReLU follows.   dx_i = g * w_i,   dw_i = sum over n of g * x_i,   dbias = sum over n of g;   g = dy if y
// > 0 or there is no ReLU, else 0. x_i [n, d], w_i [d], bias [d].
#pragma once

#include "tensor/ops/activation.h"
#include "tensor/tensor.h"

namespace avs {

struct WeightedSumGradients {
  std::vector<Tensor> dx, dw;
  Tensor dbias;
};

}  // namespace avs

namespace avs::ops {
Tensor weighted_sum(const std::vector<Tensor>& x, const std::vector<Tensor>& w, const Tensor& bias,
                    Activation activation);
WeightedSumGradients weighted_sum_backward(const std::vector<Tensor>& x, const std::vector<Tensor>& w, const Tensor& y,
                                           const Tensor& dy, Activation activation);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void weighted_sum(const std::vector<Tensor>& x, const std::vector<Tensor>& w, const Tensor& bias, Activation activation,
                  Tensor& y);
void weighted_sum_backward(const std::vector<Tensor>& x, const std::vector<Tensor>& w, const Tensor& y,
                           const Tensor& dy, Activation activation, WeightedSumGradients& gradients);
}  // namespace avs::cpu
namespace avs::cuda {
void weighted_sum(const std::vector<Tensor>& x, const std::vector<Tensor>& w, const Tensor& bias, Activation activation,
                  Tensor& y);
void weighted_sum_backward(const std::vector<Tensor>& x, const std::vector<Tensor>& w, const Tensor& y,
                           const Tensor& dy, Activation activation, WeightedSumGradients& gradients);
}  // namespace avs::cuda
