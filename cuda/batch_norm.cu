// Batch normalisation on CUDA. Memory bound; elements moved per element of x: forward 3 (x twice, y), 4 with a
// residual; backward 5, 7 with ReLU (x, dy, y twice, dx), also 7 with ReLU and residual (x, dy, y, dresidual, then x,
// dresidual, dx).
//
// Two passes over the data and between them one small kernel with a warp for each channel. Both passes cut [rows, c]
// into tiles; a thread keeps to N columns, so that what belongs to a channel stays in registers, and walks down its
// rows. The second pass walks the way back, from the last row to the first: what the first pass read last is still in
// the L2 cache.
#include "tensor/ops/batch_norm.h"

#include <algorithm>
#include <numeric>

#include "cuda/column_sum.cuh"
#include "cuda/types.h"

namespace avs::cuda {
namespace {

// ---- how x is cut ----

// x as the kernels see it. Where c is no multiple of the vector's width, some rows side by side are one row of `width`
// columns: column j belongs to channel j % c.
struct Matrix {
  int64_t rows, width, c, rows_per_block;
};

struct Cut {
  Matrix matrix;
  Grid grid;  // x: tiles of columns, y: parts of the rows
  int64_t parts;
};

Cut cut_matrix(int64_t rows, int64_t width, int64_t c, int packed) {
  constexpr int64_t kFewestRows = 4;  // loads in flight for a thread
  const ColumnCut cut = cut_columns(rows, width, packed, kFewestRows);
  return {.matrix = {rows, width, c, cut.rows_per_block},
          .grid = {.blocks = dim3(static_cast<unsigned>(cut.tiles), static_cast<unsigned>(cut.parts)),
                   .threads = cut.threads},
          .parts = cut.parts};
}

// run<N>(cut): 16 bytes at a time where the addresses and the number of elements allow it.
template <typename T, typename Run, typename... Pointers>
void in_packs(const Tensor& x, Run&& run, const Pointers*... data) {
  constexpr int N = 16 / sizeof(T);
  const int64_t c = x.shape()[-1], rows = x.size() / c, fold = N / std::gcd(c, int64_t{N});
  if (rows % fold == 0 && packs<N>(fold * c, data...))
    run.template operator()<N>(cut_matrix(rows / fold, fold * c, c, N));
  else
    run.template operator()<1>(cut_matrix(rows, c, c, 1));
}

template <int N>
__device__ inline int64_t my_column() {
  return (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * N;
}

// ---- what belongs to a channel ----

enum class Spread : uint8_t { InverseStd, Variance };  // of this batch, or the running one

struct Channels {
  const float *mean, *spread, *gamma;  // gamma may be null
  float epsilon;
  Spread kind;

  __device__ float inverse_std(int64_t channel) const {
    return kind == Spread::InverseStd ? spread[channel] : 1.0f / sqrtf(spread[channel] + epsilon);
  }
  __device__ float scale(int64_t channel) const {
    return gamma == nullptr ? inverse_std(channel) : inverse_std(channel) * gamma[channel];
  }
};

// visit(k, channel of column + k)
template <int N, typename Visit>
__device__ inline void for_channels(int64_t column, int64_t c, Visit&& visit) {
  int64_t channel = column < c ? column : column % c;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    visit(k, channel);
    if (++channel == c) channel = 0;
  }
}

// ---- forward ----

// partial: [2, width, parts], the means of a part's rows and the sums of squares around them. Sums are of x - shift,
// shift being the part's first row, so that a mean far from zero costs no digits of the variance.
template <typename T, int N>
__global__ void __launch_bounds__(kBlock, 4)
    batch_norm_statistics_kernel(Matrix m, const T* __restrict__ x, float* __restrict__ partial) {
  const int64_t column = my_column<N>(), first = int64_t{blockIdx.y} * m.rows_per_block;
  const int64_t last = min(m.rows, first + m.rows_per_block);
  float shift[N] = {}, sums[2 * N] = {};
  if (column < m.width) {
    const Pack<T, N> top = load_pack<N>(x + first * m.width + column);
#pragma unroll
    for (int k = 0; k < N; ++k) shift[k] = to_float(top.at[k]);
#pragma unroll 4
    for (int64_t row = first + threadIdx.y; row < last; row += blockDim.y) {
      const Pack<T, N> here = load_pack<N>(x + row * m.width + column);
#pragma unroll
      for (int k = 0; k < N; ++k) {
        const float a = to_float(here.at[k]) - shift[k];
        sums[k] += a;
        sums[N + k] += a * a;
      }
    }
  }
  sum_down(sums);
  if (threadIdx.y != 0 || column >= m.width) return;
  const float share = 1.0f / static_cast<float>(last - first);
  float* const to = partial + column * gridDim.y + blockIdx.y;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    to[k * int64_t{gridDim.y}] = shift[k] + sums[k] * share;
    to[(m.width + k) * gridDim.y] = sums[N + k] - sums[k] * (sums[k] * share);
  }
}

struct Running {
  float *mean, *variance;
  double weight, correction;
};

// A warp for each channel. In double: sums of squares around zero lose nothing that f32 values had.
__global__ void __launch_bounds__(kBlock)
    batch_norm_moments_kernel(Matrix m, int64_t parts, const float* __restrict__ partial, float epsilon,
                              Running running, float* __restrict__ mean, float* __restrict__ inverse_std) {
  const int64_t channel = first_item() / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (channel >= m.c) return;
  double sum = 0, squares = 0;
  for (int64_t column = channel; column < m.width; column += m.c)
#pragma unroll 4
    for (int64_t p = lane; p < parts; p += 32) {
      const auto rows = static_cast<double>(min(m.rows_per_block, m.rows - p * m.rows_per_block));
      const auto center = static_cast<double>(partial[column * parts + p]);
      sum += rows * center;
      squares += static_cast<double>(partial[(m.width + column) * parts + p]) + rows * center * center;
    }
  sum = warp_sum(sum);
  squares = warp_sum(squares);
  if (lane != 0) return;
  const auto rows = static_cast<double>(m.rows * (m.width / m.c));
  const double center = sum / rows, around = squares / rows - center * center;
  const double variance = around < 0.0 ? 0.0 : around;  // fmax() would turn NaN into 0
  mean[channel] = static_cast<float>(center);
  inverse_std[channel] = static_cast<float>(1.0 / sqrt(variance + static_cast<double>(epsilon)));
  const auto moved = [&](float old, double now) {
    return static_cast<float>((1.0 - running.weight) * static_cast<double>(old) + running.weight * now);
  };
  running.mean[channel] = moved(running.mean[channel], center);
  running.variance[channel] = moved(running.variance[channel], running.correction * variance);
}

// y = relu((x - mean) * scale + beta + residual), from the last row to the first
template <typename T, int N, bool kResidual>
__global__ void __launch_bounds__(kBlock)
    batch_norm_kernel(Matrix m, Channels channels, const float* __restrict__ betas, const T* __restrict__ x,
                      const T* __restrict__ residual, bool relu, T* __restrict__ y) {
  const int64_t column = my_column<N>(), first = (int64_t{gridDim.y} - 1 - blockIdx.y) * m.rows_per_block;
  if (column >= m.width) return;
  float mean[N], scale[N], beta[N];
  for_channels<N>(column, m.c, [&](int k, int64_t channel) {
    mean[k] = channels.mean[channel];
    scale[k] = channels.scale(channel);
    beta[k] = betas[channel];
  });
#pragma unroll 4
  for (int64_t row = min(m.rows, first + m.rows_per_block) - 1 - threadIdx.y; row >= first; row -= blockDim.y) {
    const int64_t at = row * m.width + column;
    const Pack<T, N> here = load_pack<N>(x + at);
    Pack<T, N> added, out;
    if constexpr (kResidual) added = load_pack<N>(residual + at);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      float value = (to_float(here.at[k]) - mean[k]) * scale[k] + beta[k];
      if constexpr (kResidual) value += to_float(added.at[k]);
      out.at[k] = from_float<T>(relu && value < 0.0f ? 0.0f : value);  // lets NaN through
    }
    store_pack(y + at, out);
  }
}

// ---- backward ----

// partial: [2, width, parts], sums of g and of g * (x - mean). `masked`, where there is one, gets g. With fixed
// statistics dx = scale * g needs no sums and is written at once.
template <typename T, int N, bool kRelu, Spread kSpread>
__global__ void __launch_bounds__(kBlock, kSpread == Spread::Variance ? 3 : 4)
    batch_norm_sums_kernel(Matrix m, Channels channels, const T* __restrict__ x, const T* __restrict__ y,
                           const T* __restrict__ dy, T* __restrict__ masked, T* __restrict__ dx,
                           float* __restrict__ partial) {
  const int64_t column = my_column<N>(), first = int64_t{blockIdx.y} * m.rows_per_block;
  const int64_t last = min(m.rows, first + m.rows_per_block);
  float mean[N], scale[N], sums[2 * N] = {};
  if (column < m.width) {
    for_channels<N>(column, m.c, [&](int k, int64_t channel) {
      mean[k] = channels.mean[channel];
      if constexpr (kSpread == Spread::Variance) scale[k] = channels.scale(channel);
    });
#pragma unroll 2
    for (int64_t row = first + threadIdx.y; row < last; row += blockDim.y) {
      const int64_t at = row * m.width + column;
      const Pack<T, N> here = load_pack<N>(x + at);
      Pack<T, N> g = load_pack<N>(dy + at), out;
      if constexpr (kRelu) out = load_pack<N>(y + at);
#pragma unroll
      for (int k = 0; k < N; ++k) {
        float value = to_float(g.at[k]);
        if constexpr (kRelu) value = to_float(out.at[k]) > 0.0f ? value : 0.0f;
        sums[k] += value;
        sums[N + k] += value * (to_float(here.at[k]) - mean[k]);
        g.at[k] = from_float<T>(value);
        if constexpr (kSpread == Spread::Variance) out.at[k] = from_float<T>(scale[k] * value);
      }
      if (masked != nullptr) store_pack(masked + at, g);
      if constexpr (kSpread == Spread::Variance) store_pack(dx + at, out);
    }
  }
  sum_down(sums);
  if (threadIdx.y != 0 || column >= m.width) return;
  float* const to = partial + column * gridDim.y + blockIdx.y;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    to[k * int64_t{gridDim.y}] = sums[k];
    to[(m.width + k) * gridDim.y] = sums[N + k];
  }
}

// A warp for each channel. dgamma may be null. means: [2, c], of g and, times inverse_std^2, of g * (x - mean).
__global__ void __launch_bounds__(kBlock)
    batch_norm_gradients_kernel(Matrix m, int64_t parts, Channels channels, const float* __restrict__ partial,
                                float* __restrict__ dgamma, float* __restrict__ dbeta, float* __restrict__ means) {
  const int64_t channel = first_item() / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (channel >= m.c) return;
  double sum = 0, along = 0;
  for (int64_t column = channel; column < m.width; column += m.c)
#pragma unroll 4
    for (int64_t p = lane; p < parts; p += 32) {
      sum += static_cast<double>(partial[column * parts + p]);
      along += static_cast<double>(partial[(m.width + column) * parts + p]);
    }
  sum = warp_sum(sum);
  along = warp_sum(along);
  if (lane != 0) return;
  const auto inverse_std = static_cast<double>(channels.inverse_std(channel));
  dbeta[channel] = static_cast<float>(sum);
  if (dgamma != nullptr) dgamma[channel] = static_cast<float>(along * inverse_std);
  const auto rows = static_cast<double>(m.rows * (m.width / m.c));
  means[channel] = static_cast<float>(sum / rows);
  means[m.c + channel] = static_cast<float>(along * inverse_std * inverse_std / rows);
}

// dx = scale * (g - mean(g) - (x - mean) * slope), from the last row to the first
template <typename T, int N, bool kRelu>
__global__ void __launch_bounds__(kBlock)
    batch_norm_backward_kernel(Matrix m, Channels channels, const float* __restrict__ means, const T* __restrict__ x,
                               const T* __restrict__ y, const T* __restrict__ dy, T* __restrict__ dx) {
  const int64_t column = my_column<N>(), first = (int64_t{gridDim.y} - 1 - blockIdx.y) * m.rows_per_block;
  if (column >= m.width) return;
  float mean[N], scale[N], mean_g[N], slope[N];
  for_channels<N>(column, m.c, [&](int k, int64_t channel) {
    mean[k] = channels.mean[channel];
    scale[k] = channels.scale(channel);
    mean_g[k] = means[channel];
    slope[k] = means[m.c + channel];
  });
#pragma unroll 2
  for (int64_t row = min(m.rows, first + m.rows_per_block) - 1 - threadIdx.y; row >= first; row -= blockDim.y) {
    const int64_t at = row * m.width + column;
    const Pack<T, N> here = load_pack<N>(x + at);
    Pack<T, N> g = load_pack<N>(dy + at), out;
    if constexpr (kRelu) out = load_pack<N>(y + at);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      float value = to_float(g.at[k]);
      if constexpr (kRelu) value = to_float(out.at[k]) > 0.0f ? value : 0.0f;
      g.at[k] = from_float<T>(scale[k] * (value - mean_g[k] - (to_float(here.at[k]) - mean[k]) * slope[k]));
    }
    store_pack(dx + at, g);
  }
}

// ---- on the host ----

const float* floats_of(const Tensor& t) { return t.defined() ? t.data<float>() : nullptr; }

Grid warps_for(int64_t c) {
  return {.blocks = dim3(static_cast<unsigned>(blocks_for(c * 32, kBlock))), .threads = dim3(kBlock)};
}

// [2, width, parts]
Tensor partials_for(const Cut& cut, Device device) {
  return Tensor::empty({2, cut.matrix.width, cut.parts}, DType::F32, device);
}

template <typename T>
void apply(const Tensor& x, const Channels& channels, const Tensor& beta, const Tensor& residual, Activation activation,
           Tensor& y) {
  const T* const added = residual.defined() ? residual.data<T>() : nullptr;
  const auto run = [&]<int N>(const Cut& cut) {
    const auto kernel = added == nullptr ? batch_norm_kernel<T, N, false> : batch_norm_kernel<T, N, true>;
    launch("batch_norm_kernel", kernel, cut.grid, x.device(), cut.matrix, channels, beta.data<float>(), x.data<T>(),
           added, activation == Activation::Relu, y.data<T>());
  };
  in_packs<T>(x, run, x.data<T>(), added, y.data<T>());
}

// The pass that sums, and the one that finishes dgamma and dbeta; with fixed statistics dx too. Returns means [2, c].
template <typename T, Spread kSpread>
Tensor sum_gradients(const Tensor& x, const T* y, const Channels& channels, const Tensor& dy,
                     BatchNormGradients& gradients) {
  const Device device = x.device();
  T* const masked = gradients.dresidual.defined() ? gradients.dresidual.data<T>() : nullptr;
  T* const dx = gradients.dx.data<T>();
  Tensor means = Tensor::empty({2, x.shape()[-1]}, DType::F32, device);
  const auto run = [&]<int N>(const Cut& cut) {
    Tensor partial = partials_for(cut, device);
    const auto kernel =
        y == nullptr ? batch_norm_sums_kernel<T, N, false, kSpread> : batch_norm_sums_kernel<T, N, true, kSpread>;
    launch("batch_norm_sums_kernel", kernel, cut.grid, device, cut.matrix, channels, x.data<T>(), y, dy.data<T>(),
           masked, dx, partial.data<float>());
    launch("batch_norm_gradients_kernel", batch_norm_gradients_kernel, warps_for(cut.matrix.c), device, cut.matrix,
           cut.parts, channels, partial.data<float>(),
           gradients.dgamma.defined() ? gradients.dgamma.data<float>() : nullptr, gradients.dbeta.data<float>(),
           means.data<float>());
  };
  in_packs<T>(x, run, x.data<T>(), y, dy.data<T>(), masked, dx);
  return means;
}

template <typename T>
const T* mask_of(const Tensor& y, BatchNormSpec spec) {
  return spec.activation == Activation::Relu ? y.data<T>() : nullptr;
}

}  // namespace

// ---- entry points ----

void batch_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual, Tensor& running_mean,
                Tensor& running_variance, BatchNormSpec spec, BatchNormResult& result) {
  const auto rows = static_cast<double>(x.size() / x.shape()[-1]);
  const double correction = spec.running_variance == RunningVariance::Unbiased ? rows / std::max(rows - 1.0, 1.0) : 1.0;
  const Running running{running_mean.data<float>(), running_variance.data<float>(), double{spec.new_value_weight},
                        correction};
  const Channels channels{result.mean.data<float>(), result.inverse_std.data<float>(), floats_of(gamma), spec.epsilon,
                          Spread::InverseStd};
  for_floating("batch_norm", x.dtype(), [&]<typename T>() {
    const auto statistics = [&]<int N>(const Cut& cut) {
      Tensor partial = partials_for(cut, x.device());
      launch("batch_norm_statistics_kernel", batch_norm_statistics_kernel<T, N>, cut.grid, x.device(), cut.matrix,
             x.data<T>(), partial.data<float>());
      launch("batch_norm_moments_kernel", batch_norm_moments_kernel, warps_for(cut.matrix.c), x.device(), cut.matrix,
             cut.parts, partial.data<float>(), spec.epsilon, running, result.mean.data<float>(),
             result.inverse_std.data<float>());
    };
    in_packs<T>(x, statistics, x.data<T>());
    apply<T>(x, channels, beta, residual, spec.activation, result.y);
  });
}

void batch_norm_backward(const Tensor& x, const Tensor& y, const Tensor& gamma, const Tensor& mean,
                         const Tensor& inverse_std, const Tensor& dy, BatchNormSpec spec,
                         BatchNormGradients& gradients) {
  const Channels channels{mean.data<float>(), inverse_std.data<float>(), floats_of(gamma), spec.epsilon,
                          Spread::InverseStd};
  for_floating("batch_norm_backward", x.dtype(), [&]<typename T>() {
    const T *out = mask_of<T>(y, spec), *upstream = dy.data<T>();
    const Tensor means = sum_gradients<T, Spread::InverseStd>(x, out, channels, dy, gradients);
    if (gradients.dresidual.defined()) {  // g is in memory: no need to read y and dy again
      upstream = gradients.dresidual.data<T>();
      out = nullptr;
    }
    T* const dx = gradients.dx.data<T>();
    const auto run = [&]<int N>(const Cut& cut) {
      const auto kernel =
          out == nullptr ? batch_norm_backward_kernel<T, N, false> : batch_norm_backward_kernel<T, N, true>;
      launch("batch_norm_backward_kernel", kernel, cut.grid, x.device(), cut.matrix, channels, means.data<float>(),
             x.data<T>(), out, upstream, dx);
    };
    in_packs<T>(x, run, x.data<T>(), out, upstream, dx);
  });
}

void batch_norm_inference(const Tensor& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                          const Tensor& mean, const Tensor& variance, BatchNormSpec spec, Tensor& y) {
  const Channels channels{mean.data<float>(), variance.data<float>(), floats_of(gamma), spec.epsilon, Spread::Variance};
  for_floating("batch_norm_inference", x.dtype(),
               [&]<typename T>() { apply<T>(x, channels, beta, residual, spec.activation, y); });
}

void batch_norm_inference_backward(const Tensor& x, const Tensor& y, const Tensor& gamma, const Tensor& mean,
                                   const Tensor& variance, const Tensor& dy, BatchNormSpec spec,
                                   BatchNormGradients& gradients) {
  const Channels channels{mean.data<float>(), variance.data<float>(), floats_of(gamma), spec.epsilon, Spread::Variance};
  for_floating("batch_norm_inference_backward", x.dtype(), [&]<typename T>() {
    sum_gradients<T, Spread::Variance>(x, mask_of<T>(y, spec), channels, dy, gradients);
  });
}

}  // namespace avs::cuda
