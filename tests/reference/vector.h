// Shared by every double-precision reference: plain vectors and deterministic random numbers.
#pragma once

#include <cstdint>
#include <vector>

#include "tensor/rng.h"

namespace avs::reference {

using Vector = std::vector<double>;

inline Vector random_vector(int64_t n, uint64_t seed, double scale = 1.0) {
  Rng rng(seed);
  Vector v(static_cast<size_t>(n));
  // Rounded to f32, so that the engine and the reference start from equal numbers.
  for (double& x : v) x = static_cast<double>(static_cast<float>(scale * rng.normal()));
  return v;
}

}  // namespace avs::reference
