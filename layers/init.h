// Initial values of parameters. A layer declares a rule; initialize() draws the values once the whole network is built
// and every parameter knows its path. Each parameter has its own generator, seeded by (seed, path), so its values
// depend neither on the order of construction nor on the other parameters.
//
// Fans of a weight: linear [out, in]: in and out; filter [k, r, s, c]: r*s*c and r*s*k; depthwise [r, s, c]: r*s and
// r*s.
#pragma once

#include <cstdint>

#include "tensor/shape.h"

namespace avs {

class Module;

struct Init {
  enum class Kind : uint8_t {
    Given,            // the tensor that the layer passed in; initialize() does not change it
    Constant,         // value
    GlorotUniform,    // uniform in +-sqrt(6 / (fan_in + fan_out)): Glorot and Bengio 2010, Keras' default
    TruncatedNormal,  // normal, deviation `value`, redrawn beyond two deviations: ConvNeXt, 0.02
  };
  Kind kind = Kind::Given;
  float value = 0.0f;

  static Init constant(float value) { return {Kind::Constant, value}; }
  static Init glorot_uniform() { return {Kind::GlorotUniform, 0.0f}; }
  static Init truncated_normal(float deviation) { return {Kind::TruncatedNormal, deviation}; }
};

struct Fans {
  int64_t in, out;
};
Fans fans_of(const Shape& weight);  // ShapeError unless rank 2, 3 or 4

// Initializes every parameter below `root`.
void initialize(Module& root, uint64_t seed);

}  // namespace avs
