#pragma once

#include "tests/reference/vector.h"

namespace avs::reference {

inline Vector add(const Vector& a, const Vector& b) {
  Vector y = a;
  for (size_t i = 0; i < y.size(); ++i) y[i] += b[i];
  return y;
}

}  // namespace avs::reference
