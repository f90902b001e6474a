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
//
// x and dx are read and written as they lie. Of y, residual, dy and dresidual only `run` elements follow each other,
// and the next run begins `stride` elements on: a wide row where x is all of them, one row where it is a part.
struct Runs {
  int64_t run, stride;
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

struct Affine {  // y = (x - mean) * scale + beta, each repeated over a wide row
  std::vector<float> mean, scale, beta;
};

template <bool kResidual, bool kRelu>
[[gnu::always_inline]] inline void apply_rows(const float* x, const float* residual, const Affine& affine,
                                              int64_t elements, const Runs& runs, float* y) {
  const float *mean = affine.mean.data(), *scale = affine.scale.data(), *beta = affine.beta.data();
  for (int64_t i = 0, o = 0; i < elements; i += runs.run, o += runs.stride) {
    const int64_t n = std::min(runs.run, elements - i);
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
                          int64_t elements, const Runs& runs, float* y) {
  const bool relu = activation == Activation::Relu;
  if (residual != nullptr)
    relu ? apply_rows<true, true>(x, residual, affine, elements, runs, y)
         : apply_rows<true, false>(x, residual, affine, elements, runs, y);
  else
    relu ? apply_rows<false, true>(x, nullptr, affine, elements, runs, y)
         : apply_rows<false, false>(x, nullptr, affine, elements, runs, y);
}

// Sums of g and of g * (x - mean), and g itself where it is the residual's gradient.
template <bool kRelu, bool kWrite>
[[gnu::always_inline]] inline void gradient_sums(const float* x, const float* y, const float* dy, const float* mean,
                                                 int64_t elements, const Runs& runs, float* sum_g, float* sum_gx,
                                                 float* g_out) {
  for (int64_t i = 0, o = 0; i < elements; i += runs.run, o += runs.stride) {
    const int64_t n = std::min(runs.run, elements - i);
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

AVS_SIMD void gradient_sums_piece(const float* x, const float* y, const float* dy, const float* mean, int64_t elements,
                                  const Runs& runs, float* sum_g, float* sum_gx, float* g_out) {
  if (y == nullptr)
    g_out != nullptr ? gradient_sums<false, true>(x, y, dy, mean, elements, runs, sum_g, sum_gx, g_out)
                     : gradient_sums<false, false>(x, y, dy, mean, elements, runs, sum_g, sum_gx, g_out);
  else
    g_out != nullptr ? gradient_sums<true, true>(x, y, dy, mean, elements, runs, sum_g, sum_gx, g_out)
                     : gradient_sums<true, false>(x, y, dy, mean, elements, runs, sum_g, sum_gx, g_out);
}

struct InputGradient {  // dx = scale * (g - mean_g - (x - mean) * slope), each repeated over a wide row
  std::vector<float> mean, scale, mean_g, slope;
};

template <bool kRelu>
[[gnu::always_inline]] inline void input_gradient_rows(const float* x, const float* y, const float* dy,
                                                       const InputGradient& p, int64_t elements, const Runs& runs,
                                                       float* dx) {
  const float *mean = p.mean.data(), *scale = p.scale.data(), *mean_g = p.mean_g.data(), *slope = p.slope.data();
  for (int64_t i = 0, o = 0; i < elements; i += runs.run, o += runs.stride) {
    const int64_t n = std::min(runs.run, elements - i);
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) {
      float g = dy[o + k];
      if constexpr (kRelu) g = y[o + k] > 0.0f ? g : 0.0f;
      dx[i + k] = scale[k] * (g - mean_g[k] - (x[i + k] - mean[k]) * slope[k]);
    }
  }
}

AVS_SIMD void input_gradient_piece(const float* x, const float* y, const float* dy, const InputGradient& p,
                                   int64_t elements, const Runs& runs, float* dx) {
  y != nullptr ? input_gradient_rows<true>(x, y, dy, p, elements, runs, dx)
               : input_gradient_rows<false>(x, y, dy, p, elements, runs, dx);
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

// All parts at once, as rows of one matrix of so many channels: what one part finds of y or dy in the first-level
// cache, the others brought there.
struct Sides {
  WideRows rows;
  struct Side {
    Runs runs;
    int64_t fold, begin, first;  // begin: of the matrix' channels; first: of y's
  };
  std::vector<Side> sides;

  // f(part, its first element, its elements) for the rows that begin at `first` and are `elements` of the matrix long:
  // row by row, unless rows are short, so that y, dy and the like are read in order. A part after the other would jump
  // from row to row, which prefetchers follow badly: 1.5 times the time.
  template <typename F>
  void for_parts(int64_t first, int64_t elements, F&& f) const {
    if (sides.size() == 1) return f(0, first, elements);
    constexpr int64_t kElements = 128;
    const int64_t block = std::max<int64_t>(1, kElements / sides[0].runs.stride);
    const int64_t end = (first + elements) / rows.width;
    for (int64_t row = first / rows.width; row < end; row += block)
      for (size_t i = 0; i < sides.size(); ++i) {
        const int64_t run = sides[i].runs.run;
        f(i, row * run, std::min(block, end - row) * run);
      }
  }
  // Of the row of y, residual, dy or dresidual that belongs to element `at` of the part.
  template <typename T>
  T* outer(T* wide, size_t part, int64_t at) const {
    const Side& side = sides[part];
    return wide == nullptr ? nullptr : wide + side.first + at / side.runs.run * side.runs.stride;
  }
};

Sides sides_of(const std::vector<BatchNormPart>& parts, const Tensor& outer) {
  const int64_t c = channels_of(parts[0].x), count = parts[0].x.size() / c, stride = channels_of(outer);
  if (c == stride) {  // one, and it is all
    const WideRows rows = wide_rows(count, c);
    return {rows, {{{rows.width, rows.width}, rows.fold, 0, 0}}};
  }
  Sides all{};
  int64_t channels = 0;
  for (const BatchNormPart& part : parts) {
    all.sides.push_back({{channels_of(part.x), stride}, 1, channels, part.first});
    channels += channels_of(part.x);
  }
  all.rows = single_rows(count, channels);
  return all;
}

enum class MeanAndVariance : uint8_t { OfThisBatch, Fixed };  // do they move with x?

const Tensor& mean_of(const BatchNormPart& part, MeanAndVariance source) {
  return source == MeanAndVariance::Fixed ? part.running_mean : part.mean;
}

void apply(const std::vector<BatchNormPart>& parts, const std::vector<std::vector<float>>& inverse_stds,
           const Tensor& residual, Activation activation, MeanAndVariance source, Tensor& y) {
  const Sides all = sides_of(parts, y);
  std::vector<Affine> affines;
  for (size_t i = 0; i < parts.size(); ++i) {
    const int64_t c = channels_of(parts[i].x), fold = all.sides[i].fold;
    const std::vector<float> scale = gamma_times(parts[i].gamma, inverse_stds[i].data(), c);
    affines.push_back({repeated(mean_of(parts[i], source).data<float>(), c, fold), repeated(scale.data(), c, fold),
                       repeated(parts[i].beta.data<float>(), c, fold)});
  }
  const float* added = residual.defined() ? residual.data<float>() : nullptr;
  float* to = y.data<float>();
  for_wide_rows(all.rows, [&](int64_t begin, int64_t elements) {
    all.for_parts(begin, elements, [&](size_t i, int64_t first, int64_t n) {
      apply_piece(parts[i].x.data<float>() + first, all.outer(added, i, first), affines[i], activation, n,
                  all.sides[i].runs, all.outer(to, i, first));
    });
  });
}

// The gradients of what belongs to channels, from the sums; returns what dx needs. `inverse_std`: [c].
InputGradient finish(const BatchNormPart& part, const Tensor& mean, const std::vector<float>& inverse_std,
                     const double* sum_g, const double* sum_gx, int64_t fold, MeanAndVariance source,
                     BatchNormPartGradients& gradients) {
  const int64_t c = channels_of(part.x);
  const auto rows = static_cast<double>(part.x.size() / c);
  std::vector<float> mean_g(static_cast<size_t>(c)), slope(static_cast<size_t>(c));
  for (size_t k = 0; k < mean_g.size(); ++k) {
    const double sum_g_x_hat = sum_gx[k] * double{inverse_std[k]};
    gradients.dbeta.data<float>()[k] = static_cast<float>(sum_g[k]);
    if (part.gamma.defined()) gradients.dgamma.data<float>()[k] = static_cast<float>(sum_g_x_hat);
    if (source == MeanAndVariance::Fixed) continue;
    mean_g[k] = static_cast<float>(sum_g[k] / rows);
    slope[k] = static_cast<float>(sum_g_x_hat / rows * double{inverse_std[k]});
  }
  const std::vector<float> scale = gamma_times(part.gamma, inverse_std.data(), c);
  return {repeated(mean.data<float>(), c, fold), repeated(scale.data(), c, fold), repeated(mean_g.data(), c, fold),
          repeated(slope.data(), c, fold)};
}

void backward(const std::vector<BatchNormPart>& parts, const std::vector<std::vector<float>>& inverse_stds,
              const Tensor& y, const Tensor& dy, Activation activation, MeanAndVariance source,
              std::vector<BatchNormPartGradients>& gradients, Tensor& dresidual) {
  const Sides all = sides_of(parts, dy);
  const float* out = activation == Activation::Relu ? y.data<float>() : nullptr;
  const float* upstream = dy.data<float>();
  float* masked = dresidual.defined() ? dresidual.data<float>() : nullptr;
  std::vector<std::vector<float>> means;
  for (size_t i = 0; i < parts.size(); ++i)
    means.push_back(repeated(mean_of(parts[i], source).data<float>(), channels_of(parts[i].x), all.sides[i].fold));
  const int64_t channels = all.rows.width / all.rows.fold;
  const std::vector<double> sums =
      sum_over_rows(all.rows, channels, 2, [&](int64_t begin, int64_t elements, float* piece) {
        all.for_parts(begin, elements, [&](size_t i, int64_t first, int64_t n) {
          float* const sum = piece + all.sides[i].begin;
          gradient_sums_piece(parts[i].x.data<float>() + first, all.outer(out, i, first), all.outer(upstream, i, first),
                              means[i].data(), n, all.sides[i].runs, sum, sum + all.rows.width,
                              all.outer(masked, i, first));
        });
      });
  std::vector<InputGradient> inputs;
  for (size_t i = 0; i < parts.size(); ++i) {
    const double* const sum = sums.data() + all.sides[i].begin;
    inputs.push_back(finish(parts[i], mean_of(parts[i], source), inverse_stds[i], sum, sum + channels,
                            all.sides[i].fold, source, gradients[i]));
  }
  if (!gradients[0].wants_dx) return;
  if (masked != nullptr) {  // g is in memory: no need to read y and dy again
    upstream = masked;
    out = nullptr;
  }
  for_wide_rows(all.rows, [&](int64_t begin, int64_t elements) {
    all.for_parts(begin, elements, [&](size_t i, int64_t first, int64_t n) {
      input_gradient_piece(parts[i].x.data<float>() + first, all.outer(out, i, first), all.outer(upstream, i, first),
                           inputs[i], n, all.sides[i].runs, gradients[i].dx.data<float>() + first);
    });
  });
}

std::vector<std::vector<float>> batch_inverse_stds(const std::vector<BatchNormPart>& parts) {
  std::vector<std::vector<float>> all;
  for (const BatchNormPart& part : parts) all.push_back(part.inverse_std.to_vector());
  return all;
}

std::vector<std::vector<float>> running_inverse_stds(const std::vector<BatchNormPart>& parts, float epsilon) {
  std::vector<std::vector<float>> all;
  for (const BatchNormPart& part : parts) all.push_back(inverse_std_of(part.running_variance, epsilon));
  return all;
}

}  // namespace

void batch_norm(std::vector<BatchNormPart>& parts, const Tensor& residual, BatchNormSpec spec, Tensor& y) {
  for (BatchNormPart& part : parts) {
    const Statistics statistics = statistics_of(part.x);
    float* mean = part.mean.data<float>();
    float* inverse_std = part.inverse_std.data<float>();
    for (size_t k = 0; k < statistics.mean.size(); ++k) {
      mean[k] = static_cast<float>(statistics.mean[k]);
      inverse_std[k] = static_cast<float>(1.0 / std::sqrt(statistics.variance[k] + double{spec.epsilon}));
    }
    const auto rows = static_cast<double>(part.x.size() / channels_of(part.x));
    const double correction =
        spec.running_variance == RunningVariance::Unbiased ? rows / std::max(rows - 1.0, 1.0) : 1.0;
    move_running(part.running_mean, statistics.mean, 1.0, double{spec.new_value_weight});
    move_running(part.running_variance, statistics.variance, correction, double{spec.new_value_weight});
  }
  apply(parts, batch_inverse_stds(parts), residual, spec.activation, MeanAndVariance::OfThisBatch, y);
}

void batch_norm_backward(const std::vector<BatchNormPart>& parts, const Tensor& y, const Tensor& dy, BatchNormSpec spec,
                         std::vector<BatchNormPartGradients>& gradients, Tensor& dresidual) {
  backward(parts, batch_inverse_stds(parts), y, dy, spec.activation, MeanAndVariance::OfThisBatch, gradients,
           dresidual);
}

void batch_norm_inference(const std::vector<BatchNormPart>& parts, const Tensor& residual, BatchNormSpec spec,
                          Tensor& y) {
  apply(parts, running_inverse_stds(parts, spec.epsilon), residual, spec.activation, MeanAndVariance::Fixed, y);
}

void batch_norm_inference_backward(const std::vector<BatchNormPart>& parts, const Tensor& y, const Tensor& dy,
                                   BatchNormSpec spec, std::vector<BatchNormPartGradients>& gradients,
                                   Tensor& dresidual) {
  backward(parts, running_inverse_stds(parts, spec.epsilon), y, dy, spec.activation, MeanAndVariance::Fixed, gradients,
           dresidual);
}

}  // namespace avs::cpu
