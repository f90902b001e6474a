#pragma once

#include "tests/reference/vector.h"

namespace avs::reference {

inline Vector scale_channels(const Vector& x, const Vector& gain) {
  Vector y = x;
  for (size_t i = 0; i < y.size(); ++i) y[i] *= gain[i % gain.size()];
  return y;
}

inline Vector scale_residual(const Vector& x, const Vector& gain, const Vector& residual) {
  Vector y = scale_channels(x, gain);
  for (size_t i = 0; i < y.size(); ++i) y[i] += residual[i];
  return y;
}

}  // namespace avs::reference
