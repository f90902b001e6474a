#pragma once

#include "tests/reference/vector.h"

namespace avs::reference {

inline Vector relu(const Vector& x) {
  Vector y = x;
  for (double& v : y) v = v > 0 ? v : 0;
  return y;
}

}  // namespace avs::reference
