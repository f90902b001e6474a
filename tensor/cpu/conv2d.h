// Which code serves a convolution on this machine: for tests, benchmarks and the curious.
#pragma once

#include <string>

#include "tensor/ops/conv2d.h"

namespace avs::cpu {

enum class ConvDirection : uint8_t { Forward, BackwardInput, BackwardFilter };

// oneDNN's name of its implementation ("brgconv:avx512_core"; one that starts with "ref" is a thousand times slower),
// or "own" where our own loops serve the shape.
std::string conv2d_implementation(const Shape& x, const Shape& w, Conv2dSpec spec, ConvDirection direction);

}  // namespace avs::cpu
