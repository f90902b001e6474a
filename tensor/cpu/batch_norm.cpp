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

// ---- kernels: rows against per-channel values of one row ----

// `width` channels of some rows: where their row ends, the next begins x_stride elements further in x and dx, y_stride
// in y, dy, residual and dresidual. The last row may be cut short.
struct Rows {
  int64_t width, elements, x_stride, y_stride;
};

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

struct Affine {  // y = (x - mean) * scale + beta
  const float *mean, *scale, *beta;
};

template <bool kResidual, bool kRelu>
[[gnu::always_inline]] inline void apply_rows(const float* x, const float* residual, const Affine& affine,
                                              const Rows& rows, float* y) {
  const float *mean = affine.mean, *scale = affine.scale, *beta = affine.beta;
  for (int64_t at = 0, i = 0, o = 0; at < rows.elements; at += rows.width, i += rows.x_stride, o += rows.y_stride) {
    const int64_t n = std::min(rows.width, rows.elements - at);
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) {
      float v = (x[i + k] - mean[k]) * scale[k] + beta[k];
      if constexpr (kResidual) v += residual[o + k];
      if constexpr (kRelu) v = v < 0.0f ? 0.0f : v;
      y[o + k] = v;
    }
  }
}

AVS_SIMD void apply_piece(const float* x, const float* residual, const Affine& affine, Activation activation,
                          const Rows& rows, float* y) {
  const bool relu = activation == Activation::Relu;
  if (residual != nullptr)
    relu ? apply_rows<true, true>(x, residual, affine, rows, y) : apply_rows<true, false>(x, residual, affine, rows, y);
  else
    relu ? apply_rows<false, true>(x, nullptr, affine, rows, y) : apply_rows<false, false>(x, nullptr, affine, rows, y);
}

// Sums of g and of g * (x - mean), and g itself where it is the residual's gradient.
template <bool kRelu, bool kWrite>
[[gnu::always_inline]] inline void gradient_sums(const float* x, const float* y, const float* dy, const float* mean,
                                                 const Rows& rows, float* sum_g, float* sum_gx, float* g_out) {
  for (int64_t at = 0, i = 0, o = 0; at < rows.elements; at += rows.width, i += rows.x_stride, o += rows.y_stride) {
    const int64_t n = std::min(rows.width, rows.elements - at);
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) {
      float g = dy[o + k];
      if constexpr (kRelu) g = y[o + k] > 0.0f ? g : 0.0f;
      if constexpr (kWrite) g_out[o + k] = g;
      sum_g[k] += g;
      sum_gx[k] += g * (x[i + k] - mean[k]);
    }
  }
}

AVS_SIMD void gradient_sums_piece(const float* x, const float* y, const float* dy, const float* mean, const Rows& rows,
                                  float* sum_g, float* sum_gx, float* g_out) {
  if (y == nullptr)
    g_out != nullptr ? gradient_sums<false, true>(x, y, dy, mean, rows, sum_g, sum_gx, g_out)
                     : gradient_sums<false, false>(x, y, dy, mean, rows, sum_g, sum_gx, g_out);
  else
    g_out != nullptr ? gradient_sums<true, true>(x, y, dy, mean, rows, sum_g, sum_gx, g_out)
                     : gradient_sums<true, false>(x, y, dy, mean, rows, sum_g, sum_gx, g_out);
}

struct InputGradient {  // dx = scale * (g - mean_g - (x - mean) * slope)
  const float *mean, *scale, *mean_g, *slope;
};

template <bool kRelu>
[[gnu::always_inline]] inline void input_gradient_rows(const float* x, const float* y, const float* dy,
                                                       const InputGradient& p, const Rows& rows, float* dx) {
  const float *mean = p.mean, *scale = p.scale, *mean_g = p.mean_g, *slope = p.slope;
  for (int64_t at = 0, i = 0, o = 0; at < rows.elements; at += rows.width, i += rows.x_stride, o += rows.y_stride) {
    const int64_t n = std::min(rows.width, rows.elements - at);
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) {
      float g = dy[o + k];
      if constexpr (kRelu) g = y[o + k] > 0.0f ? g : 0.0f;
      dx[i + k] = scale[k] * (g - mean_g[k] - (x[i + k] - mean[k]) * slope[k]);
    }
  }
}

AVS_SIMD void input_gradient_piece(const float* x, const float* y, const float* dy, const InputGradient& p,
                                   const Rows& rows, float* dx) {
  y != nullptr ? input_gradient_rows<true>(x, y, dy, p, rows, dx) : input_gradient_rows<false>(x, y, dy, p, rows, dx);
}

// ---- per-channel arithmetic ----

int64_t channels_of(const Tensor& x) { return x.shape()[-1]; }

std::vector<float> gamma_times(const Tensor& gamma, const float* inverse_std, int64_t c) {
  std::vector<float> scale(inverse_std, inverse_std + c);
  if (gamma.defined())
    for (int64_t k = 0; k < c; ++k) scale[k] *= gamma.data<float>()[k];
  return scale;
}

float inverse_std_of(double variance, float epsilon) {
  return static_cast<float>(1.0 / std::sqrt(variance + double{epsilon}));
}

std::vector<float> mean_of_some_rows(const float* x, int64_t rows, int64_t c) {
  constexpr int64_t kSamples = 8;
  std::vector<float> shift(c);
  const int64_t samples = std::min(rows, kSamples);
  for (int64_t s = 0; s < samples; ++s)
    for (int64_t k = 0; k < c; ++k) shift[k] += x[rows * s / samples * c + k] / static_cast<float>(samples);
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
  const std::vector<double> sums = sum_over_rows(rows, c, 2, [&](int64_t first, int64_t n, float* run) {
    moments_piece(from + first, wide_shift.data(), n, wide.width, run, run + wide.width);
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

float moved(float running, double batch, double weight) {
  return static_cast<float>((1.0 - weight) * double{running} + weight * batch);
}

// ---- the slices ----

// Channels that follow each other both in a tensor of x and in a slice of y.
struct ChannelRun {
  size_t x = 0, y = 0;  // their indices
  int64_t width, channel = 0;
  int64_t x_first = 0, x_stride, y_first = 0, y_stride;
};

struct ChannelRuns {
  WideRows rows;  // all channels
  std::vector<ChannelRun> all;

  // kernel(run, rows, x offset, y offset) for `elements` from `first` on. Several runs go row by row, unless rows are
  // short: one run after the other would jump from row to row, which prefetchers follow badly (1.5 times the time).
  template <typename Kernel>
  void visit(int64_t first, int64_t elements, Kernel&& kernel) const {
    if (all.size() == 1 && all[0].width == rows.width && all[0].y_stride == rows.width)
      return kernel(all[0], Rows{rows.width, elements, rows.width, rows.width}, first, first);
    constexpr int64_t kElements = 128;
    const int64_t block = std::max<int64_t>(1, kElements / rows.width), end = (first + elements) / rows.width;
    for (int64_t row = first / rows.width; row < end; row += block)
      for (const ChannelRun& run : all)
        kernel(run, Rows{run.width, std::min(block, end - row) * run.width, run.x_stride, run.y_stride},
               row * run.x_stride + run.x_first, row * run.y_stride + run.y_first);
  }
};

ChannelRuns channel_runs(const std::vector<Tensor>& x, const std::vector<ChannelSlice>& y) {
  const int64_t c = channels_of(x[0]), count = x[0].size() / c;
  if (x.size() == 1 && y.size() == 1 && c == channels_of(y[0].whole)) {  // each is one tensor, whole
    const WideRows rows = wide_rows(count, c);
    return {rows, {{0, 0, rows.width, 0, 0, rows.width, 0, rows.width}}};
  }
  std::vector<ChannelRun> all;
  int64_t channel = 0, in_x = 0, in_y = 0;
  for (size_t i = 0, j = 0; i < x.size();) {
    const int64_t width = std::min(channels_of(x[i]) - in_x, y[j].count - in_y);
    all.push_back({i, j, width, channel, in_x, channels_of(x[i]), y[j].first + in_y, channels_of(y[j].whole)});
    channel += width;
    if ((in_x += width) == channels_of(x[i])) ++i, in_x = 0;
    if ((in_y += width) == y[j].count) ++j, in_y = 0;
  }
  return {single_rows(count, channel), all};
}

std::vector<const float*> floats_of(const std::vector<Tensor>& tensors) {
  std::vector<const float*> all;
  for (const Tensor& t : tensors) all.push_back(t.data<float>());
  return all;
}
std::vector<const float*> floats_of(const std::vector<ChannelSlice>& slices) {
  std::vector<const float*> all;
  for (const ChannelSlice& slice : slices) all.push_back(slice.whole.data<float>());
  return all;
}

}  // namespace

void batch_norm(const std::vector<Tensor>& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                RunningMoments& running, BatchNormSpec spec, BatchNormMoments& moments, std::vector<ChannelSlice>& y) {
  float *mean = moments.mean.data<float>(), *inverse_std = moments.inverse_std.data<float>();
  float *running_mean = running.mean.data<float>(), *running_variance = running.variance.data<float>();
  const int64_t c = beta.size();
  if (spec.moments == Moments::Running) {
    for (int64_t k = 0; k < c; ++k) inverse_std[k] = inverse_std_of(double{running_variance[k]}, spec.epsilon);
  } else {
    int64_t k = 0;
    for (const Tensor& part : x) {
      const Statistics batch = statistics_of(part);
      const auto rows = static_cast<double>(part.size() / channels_of(part));
      const double unbiased = rows / std::max(rows - 1.0, 1.0), weight = double{spec.new_value_weight};
      for (size_t i = 0; i < batch.mean.size(); ++i, ++k) {
        mean[k] = static_cast<float>(batch.mean[i]);
        inverse_std[k] = inverse_std_of(batch.variance[i], spec.epsilon);
        running_mean[k] = moved(running_mean[k], batch.mean[i], weight);
        running_variance[k] = moved(running_variance[k], unbiased * batch.variance[i], weight);
      }
    }
  }
  const ChannelRuns runs = channel_runs(x, y);
  const int64_t fold = runs.rows.fold;
  const std::vector<float> scale = gamma_times(gamma, inverse_std, c), means = repeated(mean, c, fold),
                           scales = repeated(scale.data(), c, fold), betas = repeated(beta.data<float>(), c, fold);
  const std::vector<const float*> from = floats_of(x);
  const float* const added = residual.defined() ? residual.data<float>() : nullptr;
  std::vector<float*> to;
  for (ChannelSlice& slice : y) to.push_back(slice.whole.data<float>());
  for_wide_rows(runs.rows, [&](int64_t first, int64_t elements) {
    runs.visit(first, elements, [&](const ChannelRun& run, const Rows& rows, int64_t in_x, int64_t in_y) {
      const Affine affine{&means[run.channel], &scales[run.channel], &betas[run.channel]};
      apply_piece(from[run.x] + in_x, added == nullptr ? nullptr : added + in_y, affine, spec.activation, rows,
                  to[run.y] + in_y);
    });
  });
}

void batch_norm_backward(const std::vector<Tensor>& x, const std::vector<ChannelSlice>& y, const Tensor& gamma,
                         const BatchNormMoments& moments, const std::vector<ChannelSlice>& dy, BatchNormSpec spec,
                         BatchNormGradients& gradients) {
  const ChannelRuns runs = channel_runs(x, dy);
  const int64_t c = moments.mean.size(), fold = runs.rows.fold, width = runs.rows.width;
  const float* const inverse_std = moments.inverse_std.data<float>();
  const bool relu = spec.activation == Activation::Relu;
  const std::vector<const float*> from = floats_of(x), upstream = floats_of(dy),
                                  out = relu ? floats_of(y) : std::vector<const float*>();
  float* const masked = gradients.dresidual.defined() ? gradients.dresidual.data<float>() : nullptr;
  const std::vector<float> means = repeated(moments.mean.data<float>(), c, fold);
  const std::vector<double> sums = sum_over_rows(runs.rows, c, 2, [&](int64_t first, int64_t elements, float* sum) {
    runs.visit(first, elements, [&](const ChannelRun& run, const Rows& rows, int64_t in_x, int64_t in_y) {
      gradient_sums_piece(from[run.x] + in_x, relu ? out[run.y] + in_y : nullptr, upstream[run.y] + in_y,
                          &means[run.channel], rows, sum + run.channel, sum + width + run.channel,
                          masked == nullptr ? nullptr : masked + in_y);
    });
  });
  std::vector<float> mean_g(c), slope(c);  // zero where the moments do not move with x
  const auto rows_in_all = static_cast<double>(runs.rows.elements / c);
  for (int64_t k = 0; k < c; ++k) {
    const double sum_g = sums[k], sum_g_x_hat = sums[c + k] * double{inverse_std[k]};
    gradients.dbeta.data<float>()[k] = static_cast<float>(sum_g);
    if (gamma.defined()) gradients.dgamma.data<float>()[k] = static_cast<float>(sum_g_x_hat);
    if (spec.moments == Moments::Running) continue;
    mean_g[k] = static_cast<float>(sum_g / rows_in_all);
    slope[k] = static_cast<float>(sum_g_x_hat / rows_in_all * double{inverse_std[k]});
  }
  if (gradients.dx.empty()) return;
  const std::vector<float> scale = gamma_times(gamma, inverse_std, c), scales = repeated(scale.data(), c, fold),
                           means_g = repeated(mean_g.data(), c, fold), slopes = repeated(slope.data(), c, fold);
  std::vector<float*> to;
  for (Tensor& dx : gradients.dx) to.push_back(dx.data<float>());
  for_wide_rows(runs.rows, [&](int64_t first, int64_t elements) {
    runs.visit(first, elements, [&](const ChannelRun& run, const Rows& rows, int64_t in_x, int64_t in_y) {
      const InputGradient gradient{&means[run.channel], &scales[run.channel], &means_g[run.channel],
                                   &slopes[run.channel]};
      // If g is in memory, y and dy are not read again.
      input_gradient_piece(from[run.x] + in_x, relu && masked == nullptr ? out[run.y] + in_y : nullptr,
                           (masked == nullptr ? upstream[run.y] : masked) + in_y, gradient, rows, to[run.x] + in_x);
    });
  });
}

}  // namespace avs::cpu
