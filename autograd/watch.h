// The scopes that watch a network run: they charge time (profile.h) and memory (tensor/holders.h) to the running layer,
// open its range in NVIDIA's profilers, stop when asked to (interrupt.h) and add the layer to an error. variable.cpp
// calls them in three places; the gradients do not depend on them.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "tensor/holders.h"
#include "tensor/no_copy.h"

namespace avs {

// Marks the layer that runs on this thread while it lives. Layer::operator() makes one; `path` must outlive it.
class LayerScope : NoCopy {
 public:
  explicit LayerScope(const std::string& path);
  ~LayerScope();

 private:
  Scoped<const std::string*> layer_;
  ChargeScope charge_;
};

const std::string& current_layer();  // the path of the innermost LayerScope, empty outside of all

// Runs one node of a backward pass: run() is charged to `layer`, and its errors name `op` and `layer`.
void watch_gradient(std::string_view op, const std::string& layer, const std::function<void()>& run);

}  // namespace avs
