#include "layers/recompute.h"

#include "tensor/no_copy.h"

namespace avs {
namespace {

thread_local bool second_pass = false;

// Sets aside gradients that the parameters already have while the second pass records its own.
std::vector<Tensor> gradients_of(Layer& layer, const Tensor& x, const Tensor& dy, bool wants_dx,
                                 const std::vector<Variable>& parameters) {
  std::vector<Tensor> earlier;
  for (const Variable& p : parameters) {
    earlier.push_back(p.grad());
    p.zero_grad();
  }
  const Scoped pass(second_pass, true);
  const Variable input(x, wants_dx);
  layer(input).backward(dy);
  std::vector<Tensor> gradients{input.grad()};
  for (size_t i = 0; i < parameters.size(); ++i) {
    gradients.push_back(parameters[i].grad());
    parameters[i].set_grad(earlier[i]);
  }
  return gradients;
}

}  // namespace

bool recomputing() { return second_pass; }

Variable recompute(Layer& layer, const Variable& x) {
  std::vector<Variable> parameters;
  for (const Parameter* p : layer.parameters())
    if (p->variable.requires_grad()) parameters.push_back(p->variable);
  std::vector<Variable> inputs{x};
  inputs.insert(inputs.end(), parameters.begin(), parameters.end());
  if (!recording(inputs)) return layer(x);
  const Tensor y = [&] {
    const NoGrad first_pass;
    return layer(x).value();
  }();
  return record("recompute", inputs, y, [&layer, parameters, x = x.value()](const Tensor& dy, const Needs& needs) {
    return gradients_of(layer, x, dy, needs[0], parameters);
  });
}

}  // namespace avs
