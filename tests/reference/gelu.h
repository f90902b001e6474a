#pragma once

#include <cmath>

#include "tests/reference/vector.h"

namespace avs::reference {

inline Vector gelu(const Vector& x) {
  Vector y;
  for (const double v : x) y.push_back(v * 0.5 * (1.0 + std::erf(v / std::sqrt(2.0))));
  return y;
}

}  // namespace avs::reference
