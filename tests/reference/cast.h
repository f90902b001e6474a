#pragma once

#include <cmath>

#include "tests/reference/vector.h"

namespace avs::reference {

// Rounds v to nearest even on a grid of `mantissa_bits` explicit bits with smallest exponent `smallest` (f16: 10, -14;
// bf16: 7, -126). Returns infinity if v rounds above the largest finite value (exponent `largest`).
inline double rounded_to(double v, int mantissa_bits, int smallest, int largest) {
  if (v == 0 || !std::isfinite(v)) return v;
  const int exponent = std::max(std::ilogb(v), smallest);
  const double step = std::ldexp(1.0, exponent - mantissa_bits);
  const double rounded = std::nearbyint(v / step) * step;  // nearbyint: ties to even
  return std::fabs(rounded) >= std::ldexp(1.0, largest + 1) ? std::copysign(INFINITY, v) : rounded;
}

inline double to_half(double v) { return rounded_to(v, 10, -14, 15); }
inline double to_brain(double v) { return rounded_to(v, 7, -126, 127); }

}  // namespace avs::reference
