// Reverse-mode differentiation on a recorded graph.
//
// A Variable is a tensor that remembers how it was made. Each function of functions.h computes its value at once and
// records a Node with a closure, which computes the gradients of the inputs and holds the tensors that it reads.
// backward() runs the nodes in reverse order of creation (which is a topological order) and frees each. A node has one
// output, the graph runs once, and there are no higher-order gradients: training needs no more.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/no_copy.h"
#include "tensor/tensor.h"

namespace avs {

using Needs = std::vector<bool>;  // needs[i]: does input i want a gradient?
using Backward = std::function<std::vector<Tensor>(const Tensor& dy, const Needs& needs)>;

struct Node;

struct GradSlot {  // shared by all copies of one Variable
  Tensor grad;     // undefined until a gradient arrives
  bool requires_grad = false;
  std::shared_ptr<Node> producer;  // null for leaves
};

struct Node {
  std::string_view op;                            // "conv2d": for errors and print_graph()
  std::string layer;                              // path of the layer that recorded it, "mixed0.branch1x1.0"
  int64_t order = 0;                              // creation order
  std::vector<std::shared_ptr<GradSlot>> inputs;  // slots without values: activations live only in closures
  Backward backward;                              // null after it ran
};

class Variable {
 public:
  Variable() = default;  // undefined: "no bias"
  explicit Variable(Tensor value, bool requires_grad = false);

  bool defined() const { return slot_ != nullptr; }
  const Tensor& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  const Tensor& grad() const { return slot_->grad; }
  bool requires_grad() const { return defined() && slot_->requires_grad; }
  void set_requires_grad(bool on);  // leaves only: how layers are frozen
  void zero_grad() const { slot_->grad = Tensor(); }
  void set_grad(Tensor grad) const { slot_->grad = std::move(grad); }
  void set_value(Tensor value);  // leaves only: how optimizers and checkpoints write

  void backward() const;                  // from a scalar
  void backward(const Tensor& dy) const;  // from any value; UsageError for a graph that ran already
  const std::shared_ptr<GradSlot>& slot() const { return slot_; }

 private:
  friend Variable record(std::string_view, const std::vector<Variable>&, Tensor, Backward);
  Tensor value_;
  std::shared_ptr<GradSlot> slot_;
};

// The one way a function enters the graph. Undefined inputs (an absent bias) are allowed and never need a gradient.
// backward returns one tensor per input, undefined where needs[i] is false.
Variable record(std::string_view op, const std::vector<Variable>& inputs, Tensor y, Backward backward);

// True if a function of these inputs is recorded. Functions ask before they keep tensors that only backward reads.
bool recording(const std::vector<Variable>& inputs);

// Nothing is recorded on this thread while one lives: evaluation and optimizer updates.
class NoGrad : NoCopy {
 public:
  NoGrad();
  ~NoGrad();

 private:
  bool before_;
};

// The recorded graph behind y, one line per node, newest first: for gradients that surprise.
std::string print_graph(const Variable& y);

}  // namespace avs
