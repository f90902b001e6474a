#pragma once

#include "tests/reference/vector.h"

namespace avs::reference {

// x [rows, in], w [out, in], bias [out] or empty.
inline Vector linear(const Vector& x, const Vector& w, const Vector& bias, int64_t in, int64_t out) {
  Vector y;
  for (size_t row = 0; row < x.size(); row += static_cast<size_t>(in))
    for (size_t o = 0; o < static_cast<size_t>(out); ++o) {
      double sum = bias.empty() ? 0.0 : bias[o];
      for (size_t i = 0; i < static_cast<size_t>(in); ++i) sum += x[row + i] * w[o * static_cast<size_t>(in) + i];
      y.push_back(sum);
    }
  return y;
}

}  // namespace avs::reference
