// Layers one after the other; the children's names are "0", "1", …
#pragma once

#include "layers/module.h"

namespace avs {

class Sequence final : public Layer {
 public:
  Sequence() = default;

  // Appends a layer built in place: sequence.then<ConvBn>(…).then<MaxPool2d>(…)
  template <typename L, typename... Args>
  Sequence& then(Args&&... args) {
    layers_.push_back(&child<L>(std::to_string(layers_.size()), std::forward<Args>(args)...));
    return *this;
  }

 private:
  Variable forward(const Variable& x) override {
    Variable y = x;
    for (Layer* layer : layers_) y = (*layer)(y);
    return y;
  }

  std::vector<Layer*> layers_;
};

}  // namespace avs
