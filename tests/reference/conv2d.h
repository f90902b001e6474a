#pragma once

#include "tensor/ops/conv2d.h"
#include "tests/reference/vector.h"

namespace avs::reference {

// x [n, h, w, c], w [k, r, s, c], bias [k] or empty.
inline Vector conv2d(const Vector& x, Nhwc xs, const Vector& w, Krsc ws, const Vector& bias, Conv2dSpec spec) {
  const int64_t p_count = (xs.h + spec.padding.top + spec.padding.bottom - ws.r) / spec.stride_h + 1;
  const int64_t q_count = (xs.w + spec.padding.left + spec.padding.right - ws.s) / spec.stride_w + 1;
  Vector y;
  for (int64_t n = 0; n < xs.n; ++n)
    for (int64_t p = 0; p < p_count; ++p)
      for (int64_t q = 0; q < q_count; ++q)
        for (int64_t k = 0; k < ws.k; ++k) {
          double sum = bias.empty() ? 0.0 : bias[static_cast<size_t>(k)];
          for (int64_t r = 0; r < ws.r; ++r)
            for (int64_t s = 0; s < ws.s; ++s) {
              const int64_t row = p * spec.stride_h + r - spec.padding.top;
              const int64_t column = q * spec.stride_w + s - spec.padding.left;
              if (row < 0 || row >= xs.h || column < 0 || column >= xs.w) continue;
              for (int64_t c = 0; c < ws.c; ++c)
                sum += x[static_cast<size_t>(((n * xs.h + row) * xs.w + column) * xs.c + c)] *
                       w[static_cast<size_t>(((k * ws.r + r) * ws.s + s) * ws.c + c)];
            }
          y.push_back(sum);
        }
  return y;
}

// dw[k,r,s,c] = sum over n,p,q of dy[n,p,q,k] * x[n, p*stride + r - top, q*stride + s - left, c]
inline Vector conv2d_backward_filter(const Vector& x, Nhwc xs, const Vector& dy, Krsc ws, Conv2dSpec spec) {
  const int64_t p_count = (xs.h + spec.padding.top + spec.padding.bottom - ws.r) / spec.stride_h + 1;
  const int64_t q_count = (xs.w + spec.padding.left + spec.padding.right - ws.s) / spec.stride_w + 1;
  Vector dw;
  for (int64_t k = 0; k < ws.k; ++k)
    for (int64_t r = 0; r < ws.r; ++r)
      for (int64_t s = 0; s < ws.s; ++s)
        for (int64_t c = 0; c < ws.c; ++c) {
          double sum = 0;
          for (int64_t i = 0; i < xs.n * p_count * q_count; ++i) {
            const int64_t row = i / q_count % p_count * spec.stride_h + r - spec.padding.top;
            const int64_t column = i % q_count * spec.stride_w + s - spec.padding.left;
            if (row < 0 || row >= xs.h || column < 0 || column >= xs.w) continue;
            const int64_t image = i / (p_count * q_count);
            sum += dy[static_cast<size_t>(i * ws.k + k)] *
                   x[static_cast<size_t>(((image * xs.h + row) * xs.w + column) * xs.c + c)];
          }
          dw.push_back(sum);
        }
  return dw;
}

// dx[n,h,w,c] = the sum of dy * w over all outputs that read x[n,h,w,c]
inline Vector conv2d_backward_input(Nhwc xs, const Vector& w, Krsc ws, const Vector& dy, Conv2dSpec spec) {
  const int64_t p_count = (xs.h + spec.padding.top + spec.padding.bottom - ws.r) / spec.stride_h + 1;
  const int64_t q_count = (xs.w + spec.padding.left + spec.padding.right - ws.s) / spec.stride_w + 1;
  Vector dx(static_cast<size_t>(xs.n * xs.h * xs.w * xs.c));
  for (int64_t i = 0; i < xs.n * p_count * q_count; ++i)
    for (int64_t r = 0; r < ws.r; ++r)
      for (int64_t s = 0; s < ws.s; ++s) {
        const int64_t row = i / q_count % p_count * spec.stride_h + r - spec.padding.top;
        const int64_t column = i % q_count * spec.stride_w + s - spec.padding.left;
        if (row < 0 || row >= xs.h || column < 0 || column >= xs.w) continue;
        const int64_t image = i / (p_count * q_count);
        for (int64_t k = 0; k < ws.k; ++k)
          for (int64_t c = 0; c < ws.c; ++c)
            dx[static_cast<size_t>(((image * xs.h + row) * xs.w + column) * xs.c + c)] +=
                dy[static_cast<size_t>(i * ws.k + k)] * w[static_cast<size_t>(((k * ws.r + r) * ws.s + s) * ws.c + c)];
      }
  return dx;
}

}  // namespace avs::reference
