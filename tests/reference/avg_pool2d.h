#pragma once

#include "tensor/ops/avg_pool2d.h"
#include "tests/reference/max_pool2d.h"

namespace avs::reference {

inline Vector avg_pool2d(const Vector& x, Nhwc xs, Pool2dSpec spec, PoolPadding counting) {
  Vector y(pooled_size(xs, spec)), count(y.size());
  for_each_window_element(xs, spec, [&](size_t out, size_t in) {
    y[out] += x[in];
    count[out] += 1;
  });
  const double window = static_cast<double>(spec.window_h * spec.window_w);
  for (size_t i = 0; i < y.size(); ++i) y[i] /= counting == PoolPadding::Counted ? window : count[i];
  return y;
}

}  // namespace avs::reference
