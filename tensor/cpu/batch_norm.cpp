// Batch normalisation on the CPU: memory bound. Forward reads x twice and writes y (12 bytes an element, 16 with a
// residual); backward reads x, dy and the ReLU's y twice and writes dx (28 bytes). The statistics are sums of x -
// shift, shift = the mean of a few rows, so that a mean far from zero costs no digits of the variance.
#include "tensor/ops/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "tensor/cpu/rows.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

// ---- kernels: wide rows against per-channel values of one wide row ----

AVS_SIMD void moments_piece(const float* x, const float* shift, int64_t elements, int64_t width, float* sum,
                            float* squares) {
  for (int64_t i = 0; i < elements; i += width) {
    const int64_t n = std::min(width, elements - i);
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) {
      const float a = x[i + k] - shift[k];
      sum[k] += a;
      squares[k] += a * a;
    }
  }
}

struct Affine {  // y = (x - mean) * scale + beta, each repeated over a wide row
  std::vector<float> mean, scale, beta;
};

template <bool kResidual, bool kRelu>
[[gnu::always_inline]] inline void apply_rows(const float* x, const float* residual, const Affine& affine,
                                              int64_t elements, int64_t width, float* y) {
  const float *mean = affine.mean.data(), *scale = affine.scale.data(), *beta = affine.beta.data();
  for (int64_t i = 0; i < elements; i += width) {
    const int64_t n = std::min(width, elements - i);
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) {
      float v = (x[i + k] - mean[k]) * scale[k] + beta[k];
      if constexpr (kResidual) v += residual[i + k];
      if constexpr (kRelu) v = v < 0.0f ? 0.0f : v;
      y[i + k] = v;
    }
  }
}

AVS_SIMD void apply_piece(const float* x, const float* residual, const Affine& affine, Activation activation,
                          int64_t elements, int64_t width, float* y) {
  const bool relu = activation == Activation::Relu;
  if (residual != nullptr)
    relu ? apply_rows<true, true>(x, residual, affine, elements, width, y)
         : apply_rows<true, false>(x, residual, affine, elements, width, y);
  else
    relu ? apply_rows<false, true>(x, nullptr, affine, elements, width, y)
         : apply_rows<false, false>(x, nullptr, affine, elements, width, y);
}

// Sums of g and of g * (x - mean), and g itself where it is the residual's gradient.
template <bool kRelu, bool kWrite>
[[gnu::always_inline]] inline void gradient_sums(const float* x, const float* y, const float* dy, const float* mean,
                                                 int64_t elements, int64_t width, float* sum_g, float* sum_gx,
                                                 float* g_out) {
  for (int64_t i = 0; i < elements; i += width) {
    const int64_t n = std::min(width, elements - i);
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) {
      float g = dy[i + k];
      if constexpr (kRelu) g = y[i + k] > 0.0f ? g : 0.0f;
      if constexpr (kWrite) g_out[i + k] = g;
      sum_g[k] += g;
      sum_gx[k] += g * (x[i + k] - mean[k]);
    }
  }
}

AVS_SIMD void gradient_sums_piece(const float* x, const float* y, const float* dy, const float* mean, int64_t elements,
                                  int64_t width, float* sum_g, float* sum_gx, float* g_out) {
  if (y == nullptr)
    gradient_sums<false, false>(x, y, dy, mean, elements, width, sum_g, sum_gx, g_out);
  else
    g_out != nullptr ? gradient_sums<true, true>(x, y, dy, mean, elements, width, sum_g, sum_gx, g_out)
                     : gradient_sums<true, false>(x, y, dy, mean, elements, width, sum_g, sum_gx, g_out);
}

struct InputGradient {  // dx = scale * (g - mean_g - (x - mean) * slope), each repeated over a wide row
  std::vector<float> mean, scale, mean_g, slope;
};

template <bool kRelu>
[[gnu::always_inline]] inline void input_gradient_rows(const float* x, const float* y, const float* dy,
                                                       const InputGradient& p, int64_t elements, int64_t width,
                                                       float* dx) {
  const float *mean = p.mean.data(), *scale = p.scale.data(), *mean_g = p.mean_g.data(), *slope = p.slope.data();
  for (int64_t i = 0; i < elements; i += width) {
    const int64_t n = std::min(width, elements - i);
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) {
      float g = dy[i + k];
      if constexpr (kRelu) g = y[i + k] > 0.0f ? g : 0.0f;
      dx[i + k] = scale[k] * (g - mean_g[k] - (x[i + k] - mean[k]) * slope[k]);
    }
  }
}

AVS_SIMD void input_gradient_piece(const float* x, const float* y, const float* dy, const InputGradient& p,
                                   int64_t elements, int64_t width, float* dx) {
  y != nullptr ? input_gradient_rows<true>(x, y, dy, p, elements, width, dx)
               : input_gradient_rows<false>(x, y, dy, p, elements, width, dx);
}

// ---- per-channel arithmetic ----

int64_t channels_of(const Tensor& x) { return x.shape()[-1]; }

std::vector<float> gamma_times(const Tensor& gamma, const float* inverse_std, int64_t c) {
  std::vector<float> scale(inverse_std, inverse_std + c);
  if (gamma.defined())
    for (int64_t k = 0; k < c; ++k) scale[static_cast<size_t>(k)] *= gamma.data<float>()[k];
  return scale;
}

std::vector<float> inverse_std_of(const Tensor& variance, float epsilon) {
  std::vector<float> result;
  for (int64_t k = 0; k < variance.size(); ++k)
    result.push_back(static_cast<float>(1.0 / std::sqrt(double{variance.data<float>()[k]} + double{epsilon})));
  return result;
}

std::vector<float> mean_of_some_rows(const float* x, int64_t rows, int64_t c) {
  constexpr int64_t kSamples = 8;
  std::vector<float> shift(static_cast<size_t>(c));
  const int64_t samples = std::min(rows, kSamples);
  for (int64_t s = 0; s < samples; ++s)
    for (int64_t k = 0; k < c; ++k)
      shift[static_cast<size_t>(k)] += x[rows * s / samples * c + k] / static_cast<float>(samples);
  return shift;
}

struct Statistics {
  std::vector<double> mean, variance;  // biased
};

Statistics statistics_of(const Tensor& x) {
  const int64_t c = channels_of(x), rows = x.size() / c;
  const WideRows wide = wide_rows(rows, c);
  const float* from = x.data<float>();
  const std::vector<float> shift = mean_of_some_rows(from, rows, c);
  const std::vector<float> wide_shift = repeated(shift.data(), c, wide.fold);
  const std::vector<double> sums = sum_over_rows(rows, c, 2, [&](int64_t first, int64_t n, float* piece) {
    moments_piece(from + first, wide_shift.data(), n, wide.width, piece, piece + wide.width);
  });
  Statistics statistics{std::vector<double>(static_cast<size_t>(c)), std::vector<double>(static_cast<size_t>(c))};
  for (size_t k = 0; k < shift.size(); ++k) {
    const double mean = sums[k] / static_cast<double>(rows);
    statistics.mean[k] = double{shift[k]} + mean;
    // max() would turn NaN into 0
    const double variance = sums[shift.size() + k] / static_cast<double>(rows) - mean * mean;
    statistics.variance[k] = variance < 0.0 ? 0.0 : variance;
  }
  return statistics;
}

void move_running(Tensor& running, const std::vector<double>& batch, double factor, double weight) {
  float* values = running.data<float>();
  for (size_t k = 0; k < batch.size(); ++k)
    values[k] = static_cast<float>((1.0 - weight) * double{values[k]} + weight * factor * batch[k]);
}

void apply(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual, const float* mean,
           const float* inverse_std, Activation activation, Tensor& y) {
  const int64_t c = channels_of(x);
  const WideRows wide = wide_rows(x.size() / c, c);
  const std::vector<float> scale = gamma_times(gamma, inverse_std, c);
  const Affine affine{repeated(mean, c, wide.fold), repeated(scale.data(), c, wide.fold),
                      repeated(beta.data<float>(), c, wide.fold)};
  const float* from = x.data<float>();
  const float* added = residual.defined() ? residual.data<float>() : nullptr;
  float* to = y.data<float>();
  for_wide_rows(wide, [&](int64_t first, int64_t n) {
    apply_piece(from + first, added == nullptr ? nullptr : added + first, affine, activation, n, wide.width,
                to + first);
  });
}

enum class MeanAndVariance : uint8_t { OfThisBatch, Fixed };  // do they move with x?

void backward(const Tensor& x, const Tensor& y, const Tensor& gamma, const float* mean, const float* inverse_std,
              const Tensor& dy, Activation activation, MeanAndVariance source, BatchNormGradients& gradients) {
  const int64_t c = channels_of(x), rows = x.size() / c;
  const WideRows wide = wide_rows(rows, c);
  const float* in = x.data<float>();
  const float* out = activation == Activation::Relu ? y.data<float>() : nullptr;
  const float* upstream = dy.data<float>();
  float* masked = gradients.dresidual.defined() ? gradients.dresidual.data<float>() : nullptr;
  const std::vector<float> wide_mean = repeated(mean, c, wide.fold);
  const auto at = [](auto* pointer, int64_t offset) { return pointer == nullptr ? nullptr : pointer + offset; };
  const std::vector<double> sums = sum_over_rows(rows, c, 2, [&](int64_t first, int64_t n, float* piece) {
    gradient_sums_piece(in + first, at(out, first), upstream + first, wide_mean.data(), n, wide.width, piece,
                        piece + wide.width, at(masked, first));
  });

  std::vector<float> mean_g(static_cast<size_t>(c)), slope(static_cast<size_t>(c));
  for (size_t k = 0; k < mean_g.size(); ++k) {
    const double sum_g_x_hat = sums[mean_g.size() + k] * double{inverse_std[k]};
    gradients.dbeta.data<float>()[k] = static_cast<float>(sums[k]);
    if (gamma.defined()) gradients.dgamma.data<float>()[k] = static_cast<float>(sum_g_x_hat);
    if (source == MeanAndVariance::Fixed) continue;
    mean_g[k] = static_cast<float>(sums[k] / static_cast<double>(rows));
    slope[k] = static_cast<float>(sum_g_x_hat / static_cast<double>(rows) * double{inverse_std[k]});
  }
  const std::vector<float> scale = gamma_times(gamma, inverse_std, c);
  const InputGradient p{wide_mean, repeated(scale.data(), c, wide.fold), repeated(mean_g.data(), c, wide.fold),
                        repeated(slope.data(), c, wide.fold)};
  if (masked != nullptr) {  // g is in memory: no need to read y and dy again
    upstream = masked;
    out = nullptr;
  }
  float* to = gradients.dx.data<float>();
  for_wide_rows(wide, [&](int64_t first, int64_t n) {
    input_gradient_piece(in + first, at(out, first), upstream + first, p, n, wide.width, to + first);
  });
}

}  // namespace

void batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual, Tensor& running_mean,
                Tensor& running_variance, BatchNormSpec spec, BatchNormResult& result) {
  const Statistics statistics = statistics_of(x);
  float* mean = result.mean.data<float>();
  float* inverse_std = result.inverse_std.data<float>();
  for (size_t k = 0; k < statistics.mean.size(); ++k) {
    mean[k] = static_cast<float>(statistics.mean[k]);
    inverse_std[k] = static_cast<float>(1.0 / std::sqrt(statistics.variance[k] + double{spec.epsilon}));
  }
  apply(x, gamma, beta, residual, mean, inverse_std, spec.activation, result.y);

  const auto rows = static_cast<double>(x.size() / channels_of(x));
  const double correction = spec.running_variance == RunningVariance::Unbiased ? rows / std::max(rows - 1.0, 1.0) : 1.0;
  move_running(running_mean, statistics.mean, 1.0, double{spec.new_value_weight});
  move_running(running_variance, statistics.variance, correction, double{spec.new_value_weight});
}

void batch_norm_backward(const Tensor& x, const Tensor& y, const Tensor& gamma, const Tensor& mean,
                         const Tensor& inverse_std, const Tensor& dy, BatchNormSpec spec,
                         BatchNormGradients& gradients) {
  backward(x, y, gamma, mean.data<float>(), inverse_std.data<float>(), dy, spec.activation,
           MeanAndVariance::OfThisBatch, gradients);
}

void batch_norm_inference(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                          const Tensor& mean, const Tensor& variance, BatchNormSpec spec, Tensor& y) {
  const std::vector<float> inverse_std = inverse_std_of(variance, spec.epsilon);
  apply(x, gamma, beta, residual, mean.data<float>(), inverse_std.data(), spec.activation, y);
}

void batch_norm_inference_backward(const Tensor& x, const Tensor& y, const Tensor& gamma, const Tensor& mean,
                                   const Tensor& variance, const Tensor& dy, BatchNormSpec spec,
                                   BatchNormGradients& gradients) {
  const std::vector<float> inverse_std = inverse_std_of(variance, spec.epsilon);
  backward(x, y, gamma, mean.data<float>(), inverse_std.data(), dy, spec.activation, MeanAndVariance::Fixed, gradients);
}

}  // namespace avs::cpu
