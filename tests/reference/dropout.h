#pragma once

#include "tests/reference/vector.h"

namespace avs::reference {

inline Vector dropout(const Vector& x, double rate, uint64_t seed, uint64_t step, uint32_t stream) {
  Vector y;
  for (size_t i = 0; i < x.size(); ++i) {
    const double u = static_cast<double>(to_unit_float(philox(seed, (step << 32) + stream, i / 4)[i % 4]));
    y.push_back(u < rate ? 0.0 : x[i] / (1.0 - rate));
  }
  return y;
}

}  // namespace avs::reference
