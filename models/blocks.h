// What several networks share.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace avs {

// A channel count under a width multiplier: a multiple of `multiple`, and at least that.
inline int64_t scaled_width(int64_t channels, double width, int64_t multiple) {
  const auto steps =
      static_cast<int64_t>(std::lround(static_cast<double>(channels) * width / static_cast<double>(multiple)));
  return std::max<int64_t>(1, steps) * multiple;
}

}  // namespace avs
