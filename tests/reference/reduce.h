#pragma once

#include "tests/reference/vector.h"

namespace avs::reference {

inline Vector sum_rows(const Vector& x, size_t c) {
  Vector y(c);
  for (size_t i = 0; i < x.size(); ++i) y[i % c] += x[i];
  return y;
}

inline double sum_squares(const Vector& x) {
  double sum = 0;
  for (const double v : x) sum += v * v;
  return sum;
}

}  // namespace avs::reference
