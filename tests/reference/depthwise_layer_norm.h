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

struct DepthwiseLayerNormGradients {
  Vector dx, dw, dconv_bias, dgain, dbias, inverse_std;
};

inline DepthwiseLayerNormGradients depthwise_layer_norm_gradients(const Vector& x, Nhwc xs, const Vector& w, int64_t r,
                                                                  int64_t s, const Vector& conv_bias,
                                                                  const Vector& gain, const Vector& dy, Padding padding,
                                                                  double epsilon) {
  const Vector conv = depthwise_conv2d(x, xs, w, r, s, conv_bias, padding);
  const auto c = static_cast<size_t>(xs.c);
  const double share = 1 / static_cast<double>(c);
  DepthwiseLayerNormGradients g{{}, {}, Vector(c), Vector(c), Vector(c), {}};
  Vector dconv(conv.size());
  for (size_t row = 0; row < conv.size(); row += c) {
    double mean = 0, variance = 0, mean_g = 0, mean_g_x_hat = 0;
    for (size_t j = 0; j < c; ++j) mean += conv[row + j] * share;
    for (size_t j = 0; j < c; ++j) variance += (conv[row + j] - mean) * (conv[row + j] - mean) * share;
    const double inverse = 1 / std::sqrt(variance + epsilon);
    const auto x_hat = [&](size_t j) { return (conv[row + j] - mean) * inverse; };
    for (size_t j = 0; j < c; ++j) {
      mean_g += dy[row + j] * gain[j] * share;
      mean_g_x_hat += dy[row + j] * gain[j] * x_hat(j) * share;
    }
    for (size_t j = 0; j < c; ++j) {
      dconv[row + j] = inverse * (dy[row + j] * gain[j] - mean_g - x_hat(j) * mean_g_x_hat);
      g.dgain[j] += dy[row + j] * x_hat(j);
      g.dbias[j] += dy[row + j];
      g.dconv_bias[j] += dconv[row + j];
    }
    g.inverse_std.push_back(inverse);
  }
  DepthwiseGradients of_convolution = depthwise_conv2d_gradients(x, xs, w, r, s, dconv, padding);
  g.dx = std::move(of_convolution.dx);
  g.dw = std::move(of_convolution.dw);
  return g;
}

}  // namespace avs::reference
