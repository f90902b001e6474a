#include "tensor/ops/linear.h"

#include <algorithm>

#include "autograd/functions.h"
#include "tensor/ops/gelu.h"
#include "tensor/ops/reduce.h"

namespace avs {
namespace {

struct Saved {
  Tensor x, w;
  Shape x_shape, w_shape;
};

Saved save(const Variable& x, const Variable& w) {
  return {w.requires_grad() ? x.value() : Tensor(), x.requires_grad() ? w.value() : Tensor(), x.shape(), w.shape()};
}

std::vector<Tensor> gradients(const Saved& saved, const Tensor& dy, const Needs& needs) {
  return {needs[0] ? ops::linear_backward_input(saved.x_shape, saved.w, dy) : Tensor(),
          needs[1] ? ops::linear_backward_weight(saved.x, saved.w_shape, dy) : Tensor(),
          needs[2] ? ops::sum_rows(dy) : Tensor()};
}

}  // namespace

Variable linear(const Variable& x, const Variable& w, const Variable& bias) {
  return record("linear", {x, w, bias}, ops::linear(x.value(), w.value(), bias.value()),
                [saved = save(x, w)](const Tensor& dy, const Needs& needs) { return gradients(saved, dy, needs); });
}

Variable linear_gelu(const Variable& x, const Variable& w, const Variable& bias) {
  if (!recording({x, w, bias})) return Variable(ops::linear(x.value(), w.value(), bias.value(), Activation::Gelu));
  const LinearGeluResult result = ops::linear_gelu(x.value(), w.value(), bias.value());
  return record("linear_gelu", {x, w, bias}, result.y,
                [saved = save(x, w), pre = result.pre](const Tensor& dy, const Needs& needs) {
                  return gradients(saved, ops::gelu_backward(pre, dy), needs);
                });
}

Variable mlp(const Variable& x, const Variable& w1, const Variable& bias1, const Variable& w2, const Variable& bias2) {
  if (!recording({x, w1, bias1})) return linear(linear_gelu(x, w1, bias1), w2, bias2);  // no gradient is needed
  const LinearGeluResult hidden = ops::linear_gelu(x.value(), w1.value(), bias1.value());
  const Tensor y = ops::linear(hidden.y, w2.value(), bias2.value());
  return record("mlp", {x, w1, bias1, w2, bias2}, y,
                [first = save(x, w1), w2 = w2.value(), pre = hidden.pre, h = w2.requires_grad() ? hidden.y : Tensor()](
                    const Tensor& dy, const Needs& needs) mutable {
                  std::vector<Tensor> all(5);
                  if (needs[3]) all[3] = ops::linear_backward_weight(h, w2.shape(), dy);
                  h = Tensor();
                  if (needs[4]) all[4] = ops::sum_rows(dy);
                  if (!needs[0] && !needs[1] && !needs[2]) return all;
                  const Tensor dpre = ops::linear_backward_gelu(pre, w2, dy);
                  pre = Tensor();
                  std::ranges::move(gradients(first, dpre, {needs[0], needs[1], needs[2]}), all.begin());
                  return all;
                });
}

}  // namespace avs
