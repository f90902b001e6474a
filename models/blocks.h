// Helpers shared by several networks.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace avs {

// Channels times a width multiplier, rounded to a multiple of `multiple` and never less than it.
inline int64_t scaled_width(int64_t channels, double width, int64_t multiple) {
  const auto steps =
      static_cast<int64_t>(std::lround(static_cast<double>(channels) * width / static_cast<double>(multiple)));
  return std::max<int64_t>(1, steps) * multiple;
}

}  // namespace avs
