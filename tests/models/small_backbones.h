// Backbones small enough for tests of seconds.
#pragma once

#include "models/backbone.h"
#include "tests/op_case.h"

namespace avs {

inline BackboneOptions small_options(const std::string& model) {
  return {.model = model, .width = model == "vis-conv" ? 0.25 : 0.125, .image_size = 75};
}

// The smallest input that the model accepts.
inline Shape small_input(const std::string& model, int64_t n) {
  if (model == "vis-inc") return {n, 75, 75, 3};
  if (model == "vis-conv") return {n, 32, 32, 3};
  return {n, 32, 32, 6};
}

// Random frames in 0..255, or standard normal spectrograms.
inline Tensor random_input(const Shape& shape, uint64_t seed) {
  Rng rng(seed);
  std::vector<float> values(static_cast<size_t>(shape.size()));
  for (float& v : values) v = static_cast<float>(shape[-1] == 3 ? rng.uniform(0, 255) : rng.normal());
  return Tensor::from(shape, std::span<const float>(values));
}

}  // namespace avs
