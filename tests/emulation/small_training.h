// A small network with its optimizer on the emulated device.
#pragma once

#include <memory>
#include <optional>

#include "layers/optim/adam.h"
#include "tests/emulation/gpu.h"
#include "tests/models/small_backbones.h"

namespace avs {

struct SmallTraining {
  static constexpr int64_t kClasses = 4;
  std::unique_ptr<Backbone> net;
  std::optional<ParameterArena> arena;
  std::optional<Adam> adam;

  explicit SmallTraining(const std::string& model, DType dtype = DType::F32) {
    BackboneOptions options = small_options(model);
    options.width /= 2;
    options.classes = kClasses;
    net = make_backbone(options);
    net->to(kGpu);
    net->compute_in(dtype);
    arena.emplace(*net);
    adam.emplace(*arena, AdamOptions{});
    if (dtype == DType::F16) adam->scale_losses();
  }
};

}  // namespace avs
