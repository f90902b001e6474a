#pragma once

#include <cmath>

#include "tests/reference/vector.h"

namespace avs::reference {

inline Vector layer_norm(const Vector& x, const Vector& gain, const Vector& bias, double epsilon) {
  const size_t c = gain.size();
  Vector y(x.size());
  for (size_t row = 0; row < x.size(); row += c) {
    double mean = 0, variance = 0;
    for (size_t k = 0; k < c; ++k) mean += x[row + k] / static_cast<double>(c);
    for (size_t k = 0; k < c; ++k) variance += (x[row + k] - mean) * (x[row + k] - mean) / static_cast<double>(c);
    for (size_t k = 0; k < c; ++k) y[row + k] = gain[k] * (x[row + k] - mean) / std::sqrt(variance + epsilon) + bias[k];
  }
  return y;
}

}  // namespace avs::reference
