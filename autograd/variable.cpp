#include "autograd/variable.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "autograd/interrupt.h"
#include "autograd/profile.h"
#include "cuda/api.h"
#include "tensor/holders.h"
#include "tensor/ops/add.h"

namespace avs {
namespace {

thread_local bool grad_enabled = true;
thread_local int64_t next_order = 0;
thread_local const std::string* current_layer = nullptr;

// Adds a gradient that arrives for a slot. A gradient may be shared: `add` hands the same dy to both of its inputs, so
// what is not held by this slot alone is copied before it is added to.
void accumulate(GradSlot& slot, Tensor gradient) {
  if (!slot.grad.defined()) {
    slot.grad = std::move(gradient);
  } else if (slot.grad.is_unique()) {
    ops::add_into(slot.grad, gradient);
  } else {
    slot.grad = ops::add(slot.grad, gradient);
  }
}

// All nodes that y depends on, newest first.
std::vector<std::shared_ptr<Node>> nodes_behind(const std::shared_ptr<GradSlot>& y) {
  std::vector<std::shared_ptr<Node>> nodes, open;
  std::unordered_set<const Node*> seen;
  const auto visit = [&](const std::shared_ptr<GradSlot>& slot) {
    if (slot != nullptr && slot->producer != nullptr && seen.insert(slot->producer.get()).second)
      open.push_back(slot->producer);
  };
  visit(y);
  while (!open.empty()) {
    const std::shared_ptr<Node> node = open.back();
    open.pop_back();
    nodes.push_back(node);
    for (const auto& input : node->inputs) visit(input);
  }
  std::ranges::sort(nodes, [](const auto& a, const auto& b) { return a->order > b->order; });
  return nodes;
}

// What is made and given back while it lives belongs to backward.
class BackwardCharge {
 public:
  explicit BackwardCharge(const std::string& layer) : before_(charge_to({&layer, Pass::Back})) {}
  ~BackwardCharge() { charge_to(before_); }
  BackwardCharge(const BackwardCharge&) = delete;
  BackwardCharge& operator=(const BackwardCharge&) = delete;

 private:
  LayerCharge before_;
};

// A node's backward as a range of NVIDIA's profilers.
class GradientRange {
 public:
  explicit GradientRange(const Node& node) : on_(profile::on()) {
    if (on_) cuda::push_range(str("gradient of ", node.op, node.layer.empty() ? "" : " in ", node.layer));
  }
  ~GradientRange() {
    if (on_) cuda::pop_range();
  }
  GradientRange(const GradientRange&) = delete;
  GradientRange& operator=(const GradientRange&) = delete;

 private:
  bool on_;
};

void run_node(Node& node) {
  const std::shared_ptr<GradSlot> output = node.output.lock();
  if (output == nullptr || !output->grad.defined()) return;  // nothing downstream asked
  Needs needs;
  for (const auto& input : node.inputs) needs.push_back(input != nullptr && input->requires_grad);
  const GradientRange range(node);
  std::vector<Tensor> gradients = node.backward(output->grad, needs);
  if (profile::on()) profile::charge(node.op, node.layer, profile::Direction::Backward);
  node.backward = nullptr;  // the captured activations go back to the arena before the next node allocates
  output->grad = Tensor();
  for (size_t i = 0; i < gradients.size(); ++i)
    if (needs[i]) accumulate(*node.inputs[i], std::move(gradients[i]));
  if (profile::on()) profile::charge("accumulate gradients", node.layer, profile::Direction::Backward);
}

}  // namespace

Variable::Variable(Tensor value, bool requires_grad) : value_(std::move(value)), slot_(std::make_shared<GradSlot>()) {
  slot_->requires_grad = requires_grad;
}

void Variable::set_requires_grad(bool on) {
  AVS_CHECK(ShapeError, defined() && slot_->producer == nullptr, "set_requires_grad: only a leaf can be frozen");
  slot_->requires_grad = on;
}

void Variable::set_value(Tensor value) {
  AVS_CHECK(ShapeError, defined() && slot_->producer == nullptr, "set_value: only a leaf can be written");
  value_ = std::move(value);
}

void Variable::backward() const {
  AVS_CHECK(ShapeError, value_.size() == 1, "backward() starts from a scalar, got ", shape(), "; pass a gradient");
  backward(Tensor::full(shape(), 1.0f, value_.device()));
}

void Variable::backward(const Tensor& dy) const {
  AVS_CHECK(ShapeError, dy.shape() == shape(), "backward: the gradient is ", dy.shape(), ", the value ", shape());
  AVS_CHECK(ShapeError, requires_grad(), "backward: nothing behind this value requires a gradient");
  std::vector<std::shared_ptr<Node>> nodes = nodes_behind(slot_);
  accumulate(*slot_, dy);
  // A value inside an expression has no Variable left: only the node that read it holds its slot, and that node goes
  // before the node that made it runs.
  std::vector<std::shared_ptr<GradSlot>> outputs;
  for (const auto& node : nodes) outputs.push_back(node->output.lock());
  for (size_t i = 0; i < nodes.size(); ++i) {
    std::shared_ptr<Node>& node = nodes[i];
    stop_if_interrupted();
    const BackwardCharge charge(node->layer);
    try {
      run_node(*node);
    } catch (Error& error) {
      error.add_context(str("in the gradient of ", node->op, node->layer.empty() ? "" : " in layer '", node->layer,
                            node->layer.empty() ? "" : "'"));
      throw;
    }
    if (outputs[i] != nullptr) outputs[i]->producer = nullptr;
    outputs[i] = nullptr;
    node = nullptr;
  }
}

Variable record(std::string_view op, const std::vector<Variable>& inputs, Tensor y, Backward backward) {
  Variable result(std::move(y));
  if (profile::on()) profile::charge(op, current_layer == nullptr ? "" : *current_layer, profile::Direction::Forward);
  if (!recording(inputs)) return result;
  const auto node = std::make_shared<Node>();
  node->op = op;
  if (current_layer != nullptr) node->layer = *current_layer;
  node->order = next_order++;
  for (const Variable& input : inputs) node->inputs.push_back(input.slot_);
  node->output = result.slot_;
  node->backward = std::move(backward);
  result.slot_->requires_grad = true;
  result.slot_->producer = node;
  return result;
}

bool recording(const std::vector<Variable>& inputs) {
  return grad_enabled && std::ranges::any_of(inputs, [](const Variable& v) { return v.requires_grad(); });
}

NoGrad::NoGrad() : before_(grad_enabled) { grad_enabled = false; }
NoGrad::~NoGrad() { grad_enabled = before_; }

LayerScope::LayerScope(const std::string& path) : before_(current_layer) {
  current_layer = &path;
  charge_to({&path, Pass::Onward});
  if (profile::on()) cuda::push_range(path);
}
LayerScope::~LayerScope() {
  if (profile::on()) cuda::pop_range();
  current_layer = before_;
  charge_to({before_, before_ == nullptr ? Pass::Outside : Pass::Onward});
}

std::string print_graph(const Variable& y) {
  std::string text;
  for (const auto& node : nodes_behind(y.slot())) {
    text += str(node->order, "  ", node->op, node->layer.empty() ? "" : "  in ", node->layer, "  <-");
    for (const auto& input : node->inputs) {
      if (input == nullptr)
        text += " none";
      else if (input->producer != nullptr)
        text += str(" ", input->producer->order);
      else
        text += input->requires_grad ? " leaf" : " constant";
    }
    text += '\n';
  }
  return text;
}

}  // namespace avs
