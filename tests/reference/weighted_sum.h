#pragma once

#include "tests/reference/vector.h"

namespace avs::reference {

inline Vector weighted_sum(const std::vector<Vector>& x, const std::vector<Vector>& w, const Vector& bias) {
  Vector y(x[0].size());
  for (size_t i = 0; i < y.size(); ++i) {
    y[i] = bias[i % bias.size()];
    for (size_t j = 0; j < x.size(); ++j) y[i] += w[j][i % bias.size()] * x[j][i];
  }
  return y;
}

}  // namespace avs::reference
