// Maps a tensor's element type, known at run time, to a kernel's template argument.
#pragma once

#include "tensor/tensor.h"

namespace avs::cuda {

// Calls body.template operator()<T>() for T = float, bf16 or f16. Activations have these types; parameters, statistics
// and losses are always f32.
template <typename Body>
void for_floating(const char* op, DType dtype, Body&& body) {
  switch (dtype) {
    case DType::F32: return body.template operator()<float>();
    case DType::BF16: return body.template operator()<bf16>();
    case DType::F16: return body.template operator()<f16>();
    default: throw ShapeError(str(op, ": expected f32, bf16 or f16, got ", dtype));
  }
}

}  // namespace avs::cuda
