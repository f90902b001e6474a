#include "autograd/watch.h"

#include "autograd/interrupt.h"
#include "autograd/profile.h"
#include "cuda/api.h"
#include "tensor/holders.h"

namespace avs {
namespace {

thread_local const std::string* layer_now = nullptr;

// A range of NVIDIA's profilers, while a profile is made.
class Range {
 public:
  template <typename Name>
  explicit Range(Name&& name) : on_(profile::on()) {
    if (on_) cuda::push_range(name());
  }
  ~Range() {
    if (on_) cuda::pop_range();
  }
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;

 private:
  bool on_;
};

// Charges the tensors that are made and freed while it lives to the backward pass of a layer.
class BackwardCharge {
 public:
  explicit BackwardCharge(const std::string& layer) : before_(charge_to({&layer, Pass::Back})) {}
  ~BackwardCharge() { charge_to(before_); }
  BackwardCharge(const BackwardCharge&) = delete;
  BackwardCharge& operator=(const BackwardCharge&) = delete;

 private:
  LayerCharge before_;
};

}  // namespace

LayerScope::LayerScope(const std::string& path) : before_(layer_now) {
  layer_now = &path;
  charge_to({&path, Pass::Onward});
  if (profile::on()) cuda::push_range(path);
}
LayerScope::~LayerScope() {
  if (profile::on()) cuda::pop_range();
  layer_now = before_;
  charge_to({before_, before_ == nullptr ? Pass::Outside : Pass::Onward});
}

const std::string& current_layer() {
  static const std::string none;
  return layer_now == nullptr ? none : *layer_now;
}

void watch_gradient(std::string_view op, const std::string& layer, const std::function<void()>& run) {
  stop_if_interrupted();
  const BackwardCharge charge(layer);
  try {
    const Range range([&] { return str("gradient of ", op, layer.empty() ? "" : " in ", layer); });
    run();
  } catch (Error& error) {
    error.add_context(str("in the gradient of ", op, layer.empty() ? "" : str(" in layer '", layer, "'")));
    throw;
  }
}

}  // namespace avs
