#include "autograd/variable.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "autograd/profile.h"
#include "autograd/watch.h"
#include "tensor/ops/add.h"

namespace avs {
namespace {

thread_local bool grad_enabled = true;
thread_local int64_t next_order = 0;

using SlotPtr = std::shared_ptr<GradSlot>;

// Adds a gradient to a slot. `add` gives one and the same dy to both of its inputs, so a tensor that others hold too is
// not written to.
void accumulate(GradSlot& slot, Tensor gradient) {
  if (!slot.grad.defined()) {
    slot.grad = std::move(gradient);
  } else if (slot.grad.is_unique()) {
    ops::add_into(slot.grad, gradient);
  } else {
    slot.grad = ops::add(slot.grad, gradient);
  }
}

// The slots of y and of all recorded values that y depends on, newest first.
std::vector<SlotPtr> slots_behind(const SlotPtr& y) {
  std::vector<SlotPtr> found, open;
  std::unordered_set<const GradSlot*> seen;
  const auto visit = [&](const SlotPtr& slot) {
    if (slot != nullptr && slot->producer != nullptr && seen.insert(slot.get()).second) open.push_back(slot);
  };
  visit(y);
  while (!open.empty()) {
    const SlotPtr slot = open.back();
    open.pop_back();
    found.push_back(slot);
    for (const SlotPtr& input : slot->producer->inputs) visit(input);
  }
  std::ranges::sort(found, [](const SlotPtr& a, const SlotPtr& b) { return a->producer->order > b->producer->order; });
  return found;
}

// The chain rule at one node: the gradient of its output becomes the gradients of its inputs. The closure and what it
// holds is freed before the next node allocates.
void run(Node& node, GradSlot& output) {
  const std::vector<SlotPtr> inputs = std::exchange(node.inputs, {});
  Needs needs;
  for (const SlotPtr& input : inputs) needs.push_back(input != nullptr && input->requires_grad);
  std::vector<Tensor> gradients = node.backward(output.grad, needs);
  profile::charge(node.op, node.layer, profile::Direction::Backward);
  node.backward = nullptr;
  output.grad = Tensor();
  for (size_t i = 0; i < gradients.size(); ++i)
    if (needs[i]) accumulate(*inputs[i], std::move(gradients[i]));
  profile::charge("accumulate gradients", node.layer, profile::Direction::Backward);
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
  std::vector<SlotPtr> slots = slots_behind(slot_);
  for (const SlotPtr& slot : slots)
    AVS_CHECK(UsageError, slot->producer->backward != nullptr, "backward: the graph of ", slot->producer->op,
              " was freed by a backward() before; a graph runs once");
  accumulate(*slot_, dy);
  for (SlotPtr& slot : slots) {
    const std::shared_ptr<Node> node = slot->producer;
    watch_gradient(node->op, node->layer, [&] {
      if (slot->grad.defined()) run(*node, *slot);
      slot = nullptr;
    });
  }
}

Variable record(std::string_view op, const std::vector<Variable>& inputs, Tensor y, Backward backward) {
  Variable result(std::move(y));
  profile::charge(op, current_layer(), profile::Direction::Forward);
  if (!recording(inputs)) return result;
  const auto node = std::make_shared<Node>();
  node->op = op;
  node->layer = current_layer();
  node->order = next_order++;
  for (const Variable& input : inputs) node->inputs.push_back(input.slot_);
  node->backward = std::move(backward);
  result.slot_->requires_grad = true;
  result.slot_->producer = node;
  return result;
}

bool recording(const std::vector<Variable>& inputs) {
  return grad_enabled && std::ranges::any_of(inputs, [](const Variable& v) { return v.requires_grad(); });
}

NoGrad::NoGrad() : before_(std::exchange(grad_enabled, false)) {}
NoGrad::~NoGrad() { grad_enabled = before_; }

std::string print_graph(const Variable& y) {
  std::string text;
  for (const SlotPtr& slot : slots_behind(y.slot())) {
    const Node& node = *slot->producer;
    text += str(node.order, "  ", node.op, node.layer.empty() ? "" : "  in ", node.layer, "  <-");
    for (const SlotPtr& input : node.inputs) {
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
