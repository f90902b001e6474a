// The activations that other ops can apply before they write their result, which saves a pass over memory.
#pragma once

#include <cstdint>

namespace avs {
enum class Activation : uint8_t { None, Relu, Gelu };  // Gelu: the exact form, see gelu.h
}
