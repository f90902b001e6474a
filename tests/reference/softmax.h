#pragma once

#include <algorithm>
#include <cmath>

#include "tests/reference/vector.h"

namespace avs::reference {

inline Vector softmax(const Vector& x, size_t c) {
  Vector y(x.size());
  for (size_t row = 0; row < x.size(); row += c) {
    const double largest =
        *std::max_element(x.begin() + static_cast<int64_t>(row), x.begin() + static_cast<int64_t>(row + c));
    double sum = 0;
    for (size_t k = 0; k < c; ++k) sum += std::exp(x[row + k] - largest);
    for (size_t k = 0; k < c; ++k) y[row + k] = std::exp(x[row + k] - largest) / sum;
  }
  return y;
}

}  // namespace avs::reference
