// Names the implementation that computes a convolution on this machine, for tests and benchmarks.
#pragma once

#include <string>

#include "tensor/ops/conv2d.h"

namespace avs::cpu {

enum class ConvDirection : uint8_t { Forward, BackwardInput, BackwardFilter };

// Returns oneDNN's name of its implementation ("brgconv:avx512_core"; names that begin with "ref" are a thousand times
// slower), or "own" for our own loops.
std::string conv2d_implementation(const Shape& x, const Shape& w, Conv2dSpec spec, ConvDirection direction);

}  // namespace avs::cpu
