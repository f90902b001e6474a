#pragma once

#include <algorithm>
#include <limits>

#include "tensor/ops/max_pool2d.h"
#include "tests/reference/vector.h"

namespace avs::reference {

// Calls visit(output index, input index) for every pair of an output and an element inside its window.
template <typename Visit>
void for_each_window_element(Nhwc xs, Pool2dSpec spec, Visit&& visit) {
  const int64_t p_count = (xs.h + spec.padding.top + spec.padding.bottom - spec.window_h) / spec.stride_h + 1;
  const int64_t q_count = (xs.w + spec.padding.left + spec.padding.right - spec.window_w) / spec.stride_w + 1;
  for (int64_t n = 0; n < xs.n; ++n)
    for (int64_t p = 0; p < p_count; ++p)
      for (int64_t q = 0; q < q_count; ++q)
        for (int64_t c = 0; c < xs.c; ++c)
          for (int64_t r = 0; r < spec.window_h; ++r)
            for (int64_t s = 0; s < spec.window_w; ++s) {
              const int64_t row = p * spec.stride_h + r - spec.padding.top;
              const int64_t column = q * spec.stride_w + s - spec.padding.left;
              if (row < 0 || row >= xs.h || column < 0 || column >= xs.w) continue;
              visit(static_cast<size_t>(((n * p_count + p) * q_count + q) * xs.c + c),
                    static_cast<size_t>(((n * xs.h + row) * xs.w + column) * xs.c + c));
            }
}

inline size_t pooled_size(Nhwc xs, Pool2dSpec spec) {
  size_t size = 0;
  for_each_window_element(xs, spec, [&](size_t out, size_t) { size = std::max(size, out + 1); });
  return size;
}

inline Vector max_pool2d(const Vector& x, Nhwc xs, Pool2dSpec spec) {
  Vector y(pooled_size(xs, spec), -std::numeric_limits<double>::infinity());
  for_each_window_element(xs, spec, [&](size_t out, size_t in) { y[out] = std::max(y[out], x[in]); });
  return y;
}

}  // namespace avs::reference
