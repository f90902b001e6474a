#include "autograd/watch.h"

#include "autograd/interrupt.h"
#include "autograd/profile.h"
#include "cuda/api.h"

namespace avs {
namespace {

thread_local const std::string* layer_now = nullptr;

// A range of NVIDIA's profilers, while a profile is made.
class Range : NoCopy {
 public:
  template <typename Name>
  explicit Range(Name&& name) : on_(profile::on()) {
    if (on_) cuda::push_range(name());
  }
  ~Range() {
    if (on_) cuda::pop_range();
  }

 private:
  bool on_;
};

}  // namespace

LayerScope::LayerScope(const std::string& path) : layer_(layer_now, &path), charge_({&path, Pass::Onward}) {
  if (profile::on()) cuda::push_range(path);
}
LayerScope::~LayerScope() {
  if (profile::on()) cuda::pop_range();
}

const std::string& current_layer() {
  static const std::string none;
  return layer_now == nullptr ? none : *layer_now;
}

void watch_gradient(std::string_view op, const std::string& layer, const std::function<void()>& run) {
  stop_if_interrupted();
  const ChargeScope charge({&layer, Pass::Back});
  try {
    const Range range([&] { return str("gradient of ", op, layer.empty() ? "" : " in ", layer); });
    run();
  } catch (Error& error) {
    error.add_context(str("in the gradient of ", op, layer.empty() ? "" : str(" in layer '", layer, "'")));
    throw;
  }
}

}  // namespace avs
