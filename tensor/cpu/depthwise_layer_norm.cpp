// Depthwise convolution and layer normalisation, one output row at a time: the row is normalised while it is in cache,
// so x is read and the two results are written once.
#include "tensor/ops/depthwise_layer_norm.h"

#include <algorithm>

#include "tensor/cpu/depthwise_rows.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

constexpr int64_t kBlock = 64;  // pixels per partial sum of the gradients of gain and biases, whatever the thread count

// On entry x_hat holds the convolution's output. The loop over pixels is inside so that the instruction set is chosen
// once a row.
AVS_SIMD void normalise_row(float* x_hat, float* y, float* inverse_std, const float* gain, const float* bias,
                            float epsilon, int64_t pixels, int64_t c) {
  const float share = 1.0f / static_cast<float>(c);
  for (int64_t i = 0; i < pixels; ++i, x_hat += c, y += c) {
    float sum = 0, squares = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < c; ++j) sum += x_hat[j];
    const float mean = sum * share;
#pragma omp simd reduction(+ : squares)
    for (int64_t j = 0; j < c; ++j) squares += (x_hat[j] - mean) * (x_hat[j] - mean);
    const float inverse = 1.0f / __builtin_sqrtf(squares * share + epsilon);
    inverse_std[i] = inverse;
#pragma omp simd
    for (int64_t j = 0; j < c; ++j) {
      x_hat[j] = (x_hat[j] - mean) * inverse;
      y[j] = gain[j] * x_hat[j] + bias[j];
    }
  }
}

struct Sums {  // each [c], sums over one block of pixels
  float *dgain, *dbias, *dconv_bias;
};

// Computes the gradient of the convolution's output, and the block's part of the gradients of gain and biases.
AVS_SIMD void gradient_rows(const float* dy, const float* x_hat, const float* inverse_std, const float* gain,
                            float* dconv, Sums sums, int64_t pixels, int64_t c) {
  const float share = 1.0f / static_cast<float>(c);
  float *const dgain = sums.dgain, *const dbias = sums.dbias, *const dconv_bias = sums.dconv_bias;
  for (int64_t i = 0; i < pixels; ++i, dy += c, x_hat += c, dconv += c) {
    float sum_g = 0, sum_g_x_hat = 0;  // g = dy * gain
#pragma omp simd reduction(+ : sum_g, sum_g_x_hat)
    for (int64_t j = 0; j < c; ++j) {
      const float g = dy[j] * gain[j];
      sum_g += g;
      sum_g_x_hat += g * x_hat[j];
      dgain[j] += dy[j] * x_hat[j];
      dbias[j] += dy[j];
    }
    const float mean_g = sum_g * share, mean_g_x_hat = sum_g_x_hat * share, inverse = inverse_std[i];
#pragma omp simd
    for (int64_t j = 0; j < c; ++j) {
      dconv[j] = inverse * (dy[j] * gain[j] - mean_g - x_hat[j] * mean_g_x_hat);
      dconv_bias[j] += dconv[j];
    }
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
      normalise_row(x_hat + i * d.q * d.c, y + i * d.q * d.c, inverse + i * d.q, scale, shift, epsilon, d.q, d.c);
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
      const int64_t first = block * kBlock, last = std::min(pixels, first + kBlock);
      gradient_rows(upstream + first * c, hat + first * c, inverse + first, scale, to + first * c,
                    {sums, sums + c, sums + 2 * c}, last - first, c);
    }
  });
  add_partials(partials, 0, gradients.dgain);
  add_partials(partials, 1, gradients.dbias);
  add_partials(partials, 2, gradients.dconv_bias);
  depthwise_conv2d_backward_input(w, dconv, padding, gradients.dx);
  depthwise_conv2d_backward_filter(x, dconv, padding, gradients.dw);
}

}  // namespace avs::cpu
