#pragma once

#include "tests/reference/vector.h"

namespace avs::reference {

inline Vector mixup(const Vector& x, size_t sample, const std::vector<int32_t>& first,
                    const std::vector<int32_t>& second, const Vector& lambda) {
  Vector y;
  for (size_t m = 0; m < lambda.size(); ++m)
    for (size_t k = 0; k < sample; ++k)
      y.push_back(lambda[m] * x[static_cast<size_t>(first[m]) * sample + k] +
                  (1 - lambda[m]) * x[static_cast<size_t>(second[m]) * sample + k]);
  return y;
}

inline Vector mixup_backward(const Vector& dy, size_t sample, const std::vector<int32_t>& first,
                             const std::vector<int32_t>& second, const Vector& lambda, size_t n) {
  Vector dx(n * sample);
  for (size_t m = 0; m < lambda.size(); ++m)
    for (size_t k = 0; k < sample; ++k) {
      dx[static_cast<size_t>(first[m]) * sample + k] += lambda[m] * dy[m * sample + k];
      dx[static_cast<size_t>(second[m]) * sample + k] += (1 - lambda[m]) * dy[m * sample + k];
    }
  return dx;
}

}  // namespace avs::reference
