#include "layers/init.h"

#include <cmath>
#include <vector>

#include "layers/module.h"
#include "tensor/parallel.h"

namespace avs {
namespace {

// Maps two random words to two independent normals (Box and Muller 1958).
std::array<float, 2> normal_pair(uint32_t a, uint32_t b) {
  const float radius = std::sqrt(-2.0f * std::log(1.0f - to_unit_float(a)));
  const float angle = 6.2831853f * to_unit_float(b);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

// Draws normals number (element, 0), (element, 1), … and returns the first that lies within two deviations.
float truncated_normal_at(uint64_t seed, uint64_t stream, uint64_t element) {
  for (uint64_t attempt = 0;; ++attempt) {
    const auto words = philox(seed, stream, element + (attempt << 48));
    for (const float z : normal_pair(words[0], words[1]))
      if (std::abs(z) <= 2.0f) return z;
    for (const float z : normal_pair(words[2], words[3]))
      if (std::abs(z) <= 2.0f) return z;
  }
}

float value_at(Init init, const Fans& fans, uint64_t seed, uint64_t stream, uint64_t element) {
  if (init.kind == Init::Kind::TruncatedNormal) return init.value * truncated_normal_at(seed, stream, element);
  const auto words = philox(seed, stream, element);
  const float limit = std::sqrt(6.0f / static_cast<float>(fans.in + fans.out));
  return limit * (2.0f * to_unit_float(words[0]) - 1.0f);
}

Tensor draw(const Parameter& parameter, uint64_t seed) {
  const Shape& shape = parameter.variable.shape();
  if (parameter.init.kind == Init::Kind::Constant) return Tensor::full(shape, parameter.init.value);
  const Fans fans = fans_of(shape);
  const uint64_t stream = Rng(seed).fork("initial weights").fork(parameter.path).stream();
  Tensor values = Tensor::empty(shape);
  float* const out = values.data<float>();
  parallel_for(shape.size(), 4096, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i)
      out[i] = value_at(parameter.init, fans, seed, stream, static_cast<uint64_t>(i));
  });
  return values;
}

}  // namespace

Fans fans_of(const Shape& weight) {
  switch (weight.rank()) {
    case 2: return {weight[1], weight[0]};
    case 3: return {weight[0] * weight[1], weight[0] * weight[1]};
    case 4: return {weight[1] * weight[2] * weight[3], weight[1] * weight[2] * weight[0]};
    default: throw ShapeError(str("fans_of: a weight is [out, in], [r, s, c] or [k, r, s, c], got ", weight));
  }
}

void initialize(Module& root, uint64_t seed) {
  for (Parameter* parameter : root.parameters())
    if (parameter->init.kind != Init::Kind::Given)
      parameter->variable.set_value(draw(*parameter, seed).to(parameter->variable.value().device()));
}

}  // namespace avs
