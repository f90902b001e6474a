#include "tensor/ops/weighted_sum.h"

#include "autograd/functions.h"

namespace avs {

Variable weighted_sum(const std::vector<Variable>& x, const std::vector<Variable>& w, const Variable& bias,
                      Activation activation) {
  struct Saved {
    std::vector<Tensor> x, w;
    Tensor y;  // saved if there is a ReLU: its sign is the mask
  } s;
  for (const Variable& v : x) s.x.push_back(v.value());
  for (const Variable& v : w) s.w.push_back(v.value());
  const Tensor y = ops::weighted_sum(s.x, s.w, bias.value(), activation);
  if (activation == Activation::Relu) s.y = y;

  std::vector<Variable> inputs = x;
  inputs.insert(inputs.end(), w.begin(), w.end());
  inputs.push_back(bias);
  return record("weighted_sum", inputs, y, [s, activation](const Tensor& dy, const Needs&) {
    const WeightedSumGradients g = ops::weighted_sum_backward(s.x, s.w, s.y, dy, activation);
    std::vector<Tensor> gradients = g.dx;
    gradients.insert(gradients.end(), g.dw.begin(), g.dw.end());
    gradients.push_back(g.dbias);
    return gradients;
  });
}

}  // namespace avs
