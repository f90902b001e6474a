// The input positions that a pooling window covers, for max_pool2d and avg_pool2d.
#pragma once

#include <algorithm>
#include <cstdint>

namespace avs::cpu {

struct Window {
  int64_t first, last;  // positions inside the input: [first, last)
};

inline Window window_at(int64_t output, int64_t stride, int64_t before, int64_t extent, int64_t input) {
  const int64_t start = output * stride - before;
  return {std::max<int64_t>(0, start), std::min(input, start + extent)};
}

// The outputs [first, last) whose windows contain input position `at`.
inline Window outputs_over(int64_t at, int64_t stride, int64_t before, int64_t extent, int64_t outputs) {
  const int64_t start = at + before - extent + 1;  // the earliest window start that still covers `at`
  return {start <= 0 ? 0 : (start + stride - 1) / stride, std::min(outputs, (at + before) / stride + 1)};
}

}  // namespace avs::cpu
