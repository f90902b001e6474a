// The activations that other ops can apply on their way out, saving a pass over memory.
#pragma once

#include <cstdint>

namespace avs {
enum class Activation : uint8_t { None, Relu, Gelu };  // Gelu: the exact form, see gelu.h
}
