#include "layers/module.h"

#include <algorithm>

#include "autograd/interrupt.h"
#include "tensor/holders.h"

namespace avs {

std::vector<Parameter*> Module::parameters() {
  std::vector<Parameter*> all;
  for (const Member& member : members_) {
    if (member.parameter) all.push_back(member.parameter.get());
    if (member.module)
      for (Parameter* p : member.module->parameters()) all.push_back(p);
  }
  return all;
}

std::vector<Buffer*> Module::buffers() {
  std::vector<Buffer*> all;
  for (const Member& member : members_) {
    if (member.buffer) all.push_back(member.buffer.get());
    if (member.module)
      for (Buffer* b : member.module->buffers()) all.push_back(b);
  }
  return all;
}

int64_t Module::parameter_count() {
  int64_t count = 0;
  for (const Parameter* p : parameters()) count += p->variable.value().size();
  return count;
}

void Module::set_path(const std::string& path) {
  path_ = path;
  for (const Member& member : members_) {
    if (member.parameter) member.parameter->path = path_of(member.name);
    if (member.buffer) member.buffer->path = path_of(member.name);
    if (member.module) member.module->set_path(path_of(member.name));
  }
}

void Module::to(Device device) {
  const HolderScope scope("parameters");
  for (const Member& member : members_) {
    if (member.parameter) member.parameter->variable.set_value(member.parameter->variable.value().to(device));
    if (member.buffer) member.buffer->value = member.buffer->value.to(device);
    if (member.module) member.module->to(device);
  }
  moved(device);
  mode_changed();  // layers recompute what they derived from parameters, on the new device
}

void Module::freeze() {
  frozen_ = true;
  for (const Member& member : members_) {
    if (member.parameter) member.parameter->variable.set_requires_grad(false);
    if (member.module) member.module->freeze();
  }
  mode_changed();
}

bool Module::freeze_children_through(const std::string& path) {
  const auto is_last = [&](const Member& member) { return member.module && member.module->path() == path; };
  const auto last = std::find_if(members_.begin(), members_.end(), is_last);
  if (last == members_.end()) return false;
  for (auto member = members_.begin(); member != std::next(last); ++member)
    if (member->module) member->module->freeze();
  return true;
}

void Module::set_mode(Mode mode) {
  mode_ = mode;
  for (const Member& member : members_)
    if (member.module) member.module->set_mode(mode);
  mode_changed();
}

Parameter& Module::param(const std::string& name, Tensor initial, Decay decay) {
  auto owned = std::make_unique<Parameter>(Parameter{path_of(name), Variable(std::move(initial), true), decay, {}});
  Parameter& reference = *owned;
  members_.push_back({name, std::move(owned), nullptr, nullptr});
  return reference;
}

Parameter& Module::param(const std::string& name, const Shape& shape, Init init, Decay decay) {
  const HolderScope scope("parameters");
  const float start = init.kind == Init::Kind::Constant ? init.value : 0.0f;
  Parameter& parameter = param(name, Tensor::full(shape, start), decay);
  parameter.init = init;
  return parameter;
}

Buffer& Module::buffer(const std::string& name, Tensor initial) {
  auto owned = std::make_unique<Buffer>(Buffer{path_of(name), std::move(initial)});
  Buffer& reference = *owned;
  members_.push_back({name, nullptr, std::move(owned), nullptr});
  return reference;
}

void Module::adopt(const std::string& name, std::unique_ptr<Module> module) {
  module->set_path(path_of(name));
  members_.push_back({name, nullptr, nullptr, std::move(module)});
}

Variable Layer::operator()(const Variable& x) {
  stop_if_interrupted();
  return as_layer(x.shape(), [&] { return forward(x); });
}

}  // namespace avs
