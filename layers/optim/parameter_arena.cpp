#include "layers/optim/parameter_arena.h"

#include "tensor/holders.h"

namespace avs {

ParameterArena::ParameterArena(Module& model) {
  int64_t size = 0;
  for (const Decay decay : {Decay::Yes, Decay::No}) {
    for (Parameter* p : model.parameters()) {
      if (p->decay != decay || !p->variable.requires_grad()) continue;
      slots_.push_back({p, size});
      extend_ranges(*p);
      size += p->variable.value().size();
    }
    if (decay == Decay::Yes) decaying_size_ = size;
  }
  AVS_CHECK(UsageError, size > 0, "optimizer: the model has no trainable parameter");
  const Device device = slots_.front().parameter->variable.value().device();
  {
    const HolderScope scope("parameters");
    values_ = Tensor::empty({size}, DType::F32, device);
  }
  {
    const HolderScope scope("gradients");
    gradients_ = Tensor::zeros({size}, DType::F32, device);
  }
  for (const Slot& slot : slots_) {
    Variable& variable = slot.parameter->variable;
    Tensor view = values_.view(slot.first, variable.shape());
    view.copy_from(variable.value());
    variable.set_value(std::move(view));
  }
}

void ParameterArena::extend_ranges(const Parameter& parameter) {
  const int64_t count = parameter.variable.value().size(), first = slots_.back().first;
  const bool same = !ranges_.empty() && ranges_.back().decay == parameter.decay &&
                    ranges_.back().learning_rate_factor == parameter.learning_rate_factor;
  if (same)
    ranges_.back().count += count;
  else
    ranges_.push_back({first, count, parameter.decay, parameter.learning_rate_factor});
}

void ParameterArena::gather_gradients() {
  for (const Slot& slot : slots_) {
    const Variable& variable = slot.parameter->variable;
    Tensor place = gradients_.view(slot.first, variable.shape());
    if (variable.grad().defined()) {
      place.copy_from(variable.grad());
    } else {
      place.zero();
    }
    variable.zero_grad();
  }
}

void ParameterArena::zero_gradients() {
  for (const Slot& slot : slots_) slot.parameter->variable.zero_grad();
}

const std::string& ParameterArena::path_at(int64_t index) const {
  const Slot* found = &slots_.front();
  for (const Slot& slot : slots_)
    if (slot.first <= index) found = &slot;
  return found->parameter->path;
}

NamedTensors ParameterArena::views_of(const Tensor& arena, const std::string& prefix) const {
  NamedTensors tensors;
  for (const Slot& slot : slots_)
    tensors[prefix + slot.parameter->path] = arena.view(slot.first, slot.parameter->variable.shape());
  return tensors;
}

void ParameterArena::copy_into(Tensor& arena, const NamedTensors& tensors, const std::string& prefix) const {
  std::string wrong;
  for (const Slot& slot : slots_) {
    const std::string key = prefix + slot.parameter->path;
    const Shape& shape = slot.parameter->variable.shape();
    const auto found = tensors.find(key);
    if (found == tensors.end()) {
      wrong += str("\n    ", key, " is missing");
    } else if (found->second.shape() != shape || found->second.dtype() != DType::F32) {
      wrong +=
          str("\n    ", key, " is ", found->second.shape(), " ", found->second.dtype(), ", expected ", shape, " f32");
    } else {
      arena.view(slot.first, shape).copy_from(found->second);
    }
  }
  if (!wrong.empty()) throw DataError("the saved optimizer state does not belong to this model:" + wrong);
}

}  // namespace avs
