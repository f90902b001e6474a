#pragma once

#include "tests/reference/vector.h"

namespace avs::reference {

// parts[i] is [rows, channels[i]].
inline Vector concat(const std::vector<Vector>& parts, const std::vector<size_t>& channels) {
  Vector y;
  const size_t rows = parts[0].size() / channels[0];
  for (size_t r = 0; r < rows; ++r)
    for (size_t i = 0; i < parts.size(); ++i)
      for (size_t k = 0; k < channels[i]; ++k) y.push_back(parts[i][r * channels[i] + k]);
  return y;
}

}  // namespace avs::reference
