#pragma once

#include <cmath>

#include "tests/reference/depthwise_conv2d.h"

namespace avs::reference {

inline Vector depthwise_layer_norm(const Vector& x, Nhwc xs, const Vector& w, int64_t r, int64_t s,
                                   const Vector& conv_bias, const Vector& gain, const Vector& bias, Padding padding,
                                   double epsilon) {
  Vector y = depthwise_conv2d(x, xs, w, r, s, conv_bias, padding);
  const size_t c = static_cast<size_t>(xs.c);
  for (size_t row = 0; row < y.size(); row += c) {
    double mean = 0, variance = 0;
    for (size_t j = 0; j < c; ++j) mean += y[row + j] / static_cast<double>(c);
    for (size_t j = 0; j < c; ++j) variance += (y[row + j] - mean) * (y[row + j] - mean) / static_cast<double>(c);
    for (size_t j = 0; j < c; ++j) y[row + j] = gain[j] * (y[row + j] - mean) / std::sqrt(variance + epsilon) + bias[j];
  }
  return y;
}

}  // namespace avs::reference
