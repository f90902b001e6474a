// Depthwise convolution and layer normalisation, an output row at a time: the row is still in cache when it is
// normalised, so memory sees x once and the two results once.
#include "tensor/ops/depthwise_layer_norm.h"

#include <cmath>

#include "tensor/cpu/depthwise_rows.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

constexpr int64_t kBlock = 64;  // pixels per partial sum of the gain's and biases' gradients, whatever the thread count

AVS_SIMD float sum(const float* x, int64_t c) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t j = 0; j < c; ++j) total += x[j];
  return total;
}

AVS_SIMD float squared_distance(const float* x, float mean, int64_t c) {
  float total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t j = 0; j < c; ++j) total += (x[j] - mean) * (x[j] - mean);
  return total;
}

// x_hat holds the convolution's output on entry.
AVS_SIMD void normalise(float* x_hat, float* y, const float* gain, const float* bias, float mean, float inverse_std,
                        int64_t c) {
#pragma omp simd
  for (int64_t j = 0; j < c; ++j) {
    x_hat[j] = (x_hat[j] - mean) * inverse_std;
    y[j] = gain[j] * x_hat[j] + bias[j];
  }
}

// g = dy * gain: the sums of g and of g * x_hat, and this pixel's share of the gradients of gain and bias.
AVS_SIMD void pixel_sums(const float* dy, const float* x_hat, const float* gain, float* dgain, float* dbias, int64_t c,
                         float* sum_g, float* sum_g_x_hat) {
  float plain = 0, weighted = 0;
#pragma omp simd reduction(+ : plain, weighted)
  for (int64_t j = 0; j < c; ++j) {
    const float g = dy[j] * gain[j];
    plain += g;
    weighted += g * x_hat[j];
    dgain[j] += dy[j] * x_hat[j];
    dbias[j] += dy[j];
  }
  *sum_g = plain;
  *sum_g_x_hat = weighted;
}

AVS_SIMD void pixel_gradient(const float* dy, const float* x_hat, const float* gain, float mean_g, float mean_g_x_hat,
                             float inverse_std, float* dconv, float* dconv_bias, int64_t c) {
#pragma omp simd
  for (int64_t j = 0; j < c; ++j) {
    dconv[j] = inverse_std * (dy[j] * gain[j] - mean_g - x_hat[j] * mean_g_x_hat);
    dconv_bias[j] += dconv[j];
  }
}

void add_partials(const Tensor& partials, int64_t which, Tensor& out) {
  const int64_t blocks = partials.shape()[0], c = out.size();
  const float* from = partials.data<float>() + which * c;
  float* to = out.data<float>();
  out.zero();
  for (int64_t i = 0; i < blocks; ++i)
    for (int64_t j = 0; j < c; ++j) to[j] += from[i * 3 * c + j];
}

}  // namespace

void depthwise_layer_norm(const Tensor& x, const Tensor& w, const Tensor& conv_bias, const Tensor& gain,
                          const Tensor& bias, Padding padding, float epsilon, DepthwiseLayerNormResult& result) {
  const DepthwiseProblem d = depthwise_problem(x.shape(), w.shape(), padding);
  const float *from = x.data<float>(), *filter = w.data<float>(), *conv_shift = conv_bias.data<float>();
  const float *scale = gain.data<float>(), *shift = bias.data<float>();
  float *y = result.y.data<float>(), *x_hat = result.x_hat.data<float>(), *inverse = result.inverse_std.data<float>();
  parallel_for(d.n * d.p, 1, [=](int64_t a, int64_t b) {
    for (int64_t i = a; i < b; ++i) {
      depthwise_row(d, from, filter, conv_shift, i / d.p, i % d.p, x_hat + i * d.q * d.c);
      for (int64_t pixel = i * d.q; pixel < (i + 1) * d.q; ++pixel) {
        float* const row = x_hat + pixel * d.c;
        const float mean = sum(row, d.c) / static_cast<float>(d.c);
        const float variance = squared_distance(row, mean, d.c) / static_cast<float>(d.c);
        inverse[pixel] = 1.0f / std::sqrt(variance + epsilon);
        normalise(row, y + pixel * d.c, scale, shift, mean, inverse[pixel], d.c);
      }
    }
  });
}

void depthwise_layer_norm_backward(const Tensor& x, const Tensor& w, const Tensor& gain, const Tensor& x_hat,
                                   const Tensor& inverse_std, const Tensor& dy, Padding padding,
                                   DepthwiseLayerNormGradients& gradients) {
  const int64_t c = gain.size(), pixels = inverse_std.size(), blocks = (pixels + kBlock - 1) / kBlock;
  Tensor dconv = Tensor::empty(dy.shape());
  Tensor partials = Tensor::zeros({blocks, 3, c});  // dgain, dbias, dconv_bias
  const float *upstream = dy.data<float>(), *hat = x_hat.data<float>(), *scale = gain.data<float>();
  const float* inverse = inverse_std.data<float>();
  float *to = dconv.data<float>(), *partial = partials.data<float>();
  parallel_for(blocks, 1, [=](int64_t a, int64_t b) {
    for (int64_t block = a; block < b; ++block) {
      float* const sums = partial + block * 3 * c;
      for (int64_t i = block * kBlock; i < std::min(pixels, (block + 1) * kBlock); ++i) {
        float g = 0, g_x_hat = 0;
        pixel_sums(upstream + i * c, hat + i * c, scale, sums, sums + c, c, &g, &g_x_hat);
        const float count = static_cast<float>(c);
        pixel_gradient(upstream + i * c, hat + i * c, scale, g / count, g_x_hat / count, inverse[i], to + i * c,
                       sums + 2 * c, c);
      }
    }
  });
  add_partials(partials, 0, gradients.dgain);
  add_partials(partials, 1, gradients.dbias);
  add_partials(partials, 2, gradients.dconv_bias);
  depthwise_conv2d_backward_input(w, dconv, padding, gradients.dx);
  depthwise_conv2d_backward_filter(x, dconv, padding, gradients.dw);
}

}  // namespace avs::cpu
