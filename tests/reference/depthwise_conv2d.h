#pragma once

#include "tensor/ops/depthwise_conv2d.h"
#include "tests/reference/vector.h"

namespace avs::reference {

// x [n, h, w, c], w [r, s, c], bias [c] or empty.
inline Vector depthwise_conv2d(const Vector& x, Nhwc xs, const Vector& w, int64_t r_count, int64_t s_count,
                               const Vector& bias, Padding padding) {
  Vector y;
  for (int64_t n = 0; n < xs.n; ++n)
    for (int64_t p = 0; p + r_count <= xs.h + padding.top + padding.bottom; ++p)
      for (int64_t q = 0; q + s_count <= xs.w + padding.left + padding.right; ++q)
        for (int64_t c = 0; c < xs.c; ++c) {
          double sum = bias.empty() ? 0.0 : bias[static_cast<size_t>(c)];
          for (int64_t r = 0; r < r_count; ++r)
            for (int64_t s = 0; s < s_count; ++s) {
              const int64_t row = p + r - padding.top, column = q + s - padding.left;
              if (row < 0 || row >= xs.h || column < 0 || column >= xs.w) continue;
              sum += x[static_cast<size_t>(((n * xs.h + row) * xs.w + column) * xs.c + c)] *
                     w[static_cast<size_t>((r * s_count + s) * xs.c + c)];
            }
          y.push_back(sum);
        }
  return y;
}

struct DepthwiseGradients {
  Vector dx, dw;
};

inline DepthwiseGradients depthwise_conv2d_gradients(const Vector& x, Nhwc xs, const Vector& w, int64_t r_count,
                                                     int64_t s_count, const Vector& dy, Padding padding) {
  DepthwiseGradients gradients{Vector(x.size()), Vector(w.size())};
  size_t at = 0;  // in dy
  for (int64_t n = 0; n < xs.n; ++n)
    for (int64_t p = 0; p + r_count <= xs.h + padding.top + padding.bottom; ++p)
      for (int64_t q = 0; q + s_count <= xs.w + padding.left + padding.right; ++q)
        for (int64_t c = 0; c < xs.c; ++c, ++at)
          for (int64_t r = 0; r < r_count; ++r)
            for (int64_t s = 0; s < s_count; ++s) {
              const int64_t row = p + r - padding.top, column = q + s - padding.left;
              if (row < 0 || row >= xs.h || column < 0 || column >= xs.w) continue;
              const auto i = static_cast<size_t>(((n * xs.h + row) * xs.w + column) * xs.c + c);
              const auto tap = static_cast<size_t>((r * s_count + s) * xs.c + c);
              gradients.dx[i] += dy[at] * w[tap];
              gradients.dw[tap] += dy[at] * x[i];
            }
  return gradients;
}

}  // namespace avs::reference
