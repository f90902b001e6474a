#pragma once

#include "tensor/shape.h"
#include "tests/reference/vector.h"

namespace avs::reference {

inline Vector global_avg_pool(const Vector& x, Nhwc xs) {
  Vector y(static_cast<size_t>(xs.n * xs.c));
  for (int64_t n = 0; n < xs.n; ++n)
    for (int64_t pixel = 0; pixel < xs.h * xs.w; ++pixel)
      for (int64_t c = 0; c < xs.c; ++c)
        y[static_cast<size_t>(n * xs.c + c)] +=
            x[static_cast<size_t>((n * xs.h * xs.w + pixel) * xs.c + c)] / static_cast<double>(xs.h * xs.w);
  return y;
}

}  // namespace avs::reference
