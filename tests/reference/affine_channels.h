#pragma once

#include "tests/reference/vector.h"

namespace avs::reference {

inline Vector affine_channels(const Vector& x, const Vector& scale, const Vector& shift) {
  Vector y = x;
  for (size_t i = 0; i < y.size(); ++i) y[i] = y[i] * scale[i % scale.size()] + shift[i % shift.size()];
  return y;
}

}  // namespace avs::reference
