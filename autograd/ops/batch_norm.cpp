#include "tensor/ops/batch_norm.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "autograd/functions.h"
#include "tensor/ops/concat.h"

namespace avs {
namespace {

std::vector<Tensor> values_of(const std::vector<Variable>& x) {
  std::vector<Tensor> values;
  for (const Variable& part : x) values.push_back(part.value());
  return values;
}

}  // namespace

Variable batch_norm(const std::vector<Variable>& x, const Variable& gamma, const Variable& beta,
                    const Variable& residual, const RunningMoments& running, BatchNormSpec spec) {
  const std::vector<Tensor> xs = values_of(x);
  const Shape shape = ops::concat_shape(xs);
  const Tensor y = Tensor::empty(shape, xs[0].dtype(), xs[0].device());
  return batch_norm(x, gamma, beta, residual, running, spec, {y})[0];
}

std::vector<Variable> batch_norm(const std::vector<Variable>& x, const Variable& gamma, const Variable& beta,
                                 const Variable& residual, RunningMoments running, BatchNormSpec spec,
                                 std::vector<ChannelSlice> y) {
  const std::vector<Tensor> xs = values_of(x);
  const BatchNormMoments moments = ops::batch_norm(xs, gamma.value(), beta.value(), residual.value(), running, spec, y);
  std::vector<Variable> inputs = x, slices;
  inputs.insert(inputs.end(), {gamma, beta, residual});
  std::vector<Tensor> wholes;
  std::vector<Shape> shapes;
  for (ChannelSlice& slice : y) {
    wholes.push_back(slice.whole);
    shapes.push_back(slice.whole.shape());
    if (spec.activation == Activation::None) slice.whole = Tensor();  // backward reads y for the ReLU's mask only
  }
  const auto differentiate = [xs, gamma = gamma.value(), moments, spec, y, shapes](const std::vector<Tensor>& arrived,
                                                                                   const Needs& needs) {
    const auto empty = [&](const Shape& shape) { return Tensor::empty(shape, xs[0].dtype(), xs[0].device()); };
    std::vector<ChannelSlice> dy;
    for (size_t i = 0; i < y.size(); ++i) {
      const auto none = [&] { return Tensor::zeros(shapes[i], xs[0].dtype(), xs[0].device()); };
      dy.emplace_back(arrived[i].defined() ? arrived[i] : none(), y[i].first, y[i].count);
    }
    BatchNormGradients g;
    if (std::find(needs.begin(), needs.end() - 3, true) != needs.end() - 3)
      for (const Tensor& x_part : xs) g.dx.push_back(empty(x_part.shape()));
    const bool relu = spec.activation == Activation::Relu, residual_needs = needs.back();
    if (residual_needs && relu) g.dresidual = empty(shapes[0]);
    ops::batch_norm_backward(xs, y, gamma, moments, dy, spec, g);
    if (residual_needs && !relu) g.dresidual = dy[0].whole;
    std::vector<Tensor> gradients = g.dx;
    gradients.resize(xs.size());
    gradients.insert(gradients.end(), {g.dgamma, g.dbeta, g.dresidual});
    return gradients;
  };
  if (y.size() == 1)
    return {record("batch_norm", inputs, wholes[0],
                   [differentiate](const Tensor& dy, const Needs& needs) { return differentiate({dy}, needs); })};
  // A node has one output, so each slice is a node behind the BatchNorm's. It keeps its gradient for the BatchNorm and
  // passes on one number, which says that a gradient has arrived.
  const auto arrived = std::make_shared<std::vector<Tensor>>(y.size());
  const Variable all = record("batch_norm", inputs, Tensor::zeros({1}), [=](const Tensor&, const Needs& needs) {
    return differentiate(std::exchange(*arrived, {}), needs);
  });
  for (size_t i = 0; i < y.size(); ++i)
    slices.push_back(record("slice of batch_norm", {all}, wholes[i], [arrived, i](const Tensor& dy, const Needs&) {
      (*arrived)[i] = dy;
      return std::vector<Tensor>{Tensor::zeros({1})};
    }));
  return slices;
}

}  // namespace avs
