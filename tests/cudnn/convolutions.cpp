#include "tests/cudnn/convolutions.h"

#include <algorithm>

#include "models/backbone.h"

namespace avs {

using cuda::cudnn::ConvGraph;
using cuda::cudnn::Direction;

namespace {

std::vector<ConvGraph> asked;

void note(const ConvGraph& graph) {
  const auto same = [text = text_of(graph)](const ConvGraph& other) { return text_of(other) == text; };
  if (std::ranges::none_of(asked, same)) asked.push_back(graph);
}

}  // namespace

std::vector<ConvGraph> convolutions_of(const std::string& model) {
  asked.clear();
  const auto backbone = make_backbone({.model = model});
  const std::vector<int64_t> sample = backbone->input_shape().extents();
  const Tensor x = Tensor::zeros({1, sample[0], sample[1], sample[2]});
  backbone->train();
  backbone->random().set(1, 1);
  const Variable logits = backbone->run(x).logits;
  logits.backward(Tensor::full(logits.shape(), 1.0f));
  backbone->eval();
  const NoGrad inference;
  backbone->run(x);
  return asked;
}

// ---- replaces tensor/cpu/conv2d.cpp ----

struct FixedFilter::Layouts {};

namespace cpu {

std::shared_ptr<FixedFilter::Layouts> filter_layouts() { return nullptr; }

void conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec, Activation activation, Tensor& y) {
  note({.direction = Direction::Forward,
        .x = x.shape(),
        .w = w.shape(),
        .y = y.shape(),
        .spec = spec,
        .bias = bias.defined(),
        .relu = activation == Activation::Relu});
  y.zero();
}
void conv2d(const Tensor& x, const FixedFilter& filter, Conv2dSpec spec, Activation activation, Tensor& y) {
  conv2d(x, filter.w(), filter.bias(), spec, activation, y);
}
void conv2d_backward_input(const Tensor& w, const Tensor& dy, Conv2dSpec spec, Tensor& dx) {
  note({.direction = Direction::BackwardInput, .x = dx.shape(), .w = w.shape(), .y = dy.shape(), .spec = spec});
  dx.zero();
}
void conv2d_backward_filter(const Tensor& x, const Tensor& dy, Conv2dSpec spec, Tensor& dw) {
  note({.direction = Direction::BackwardFilter, .x = x.shape(), .w = dw.shape(), .y = dy.shape(), .spec = spec});
  dw.zero();
}

}  // namespace cpu
}  // namespace avs
