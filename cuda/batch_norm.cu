// Batch normalisation on CUDA. Memory bound; elements moved per element of x: forward 3 (x twice, y), 4 with a
// residual; backward 5 (x and dy twice, dx), and this code moves 7 with ReLU: it reads y for the mask in both passes, which
// x, mean, scale and beta would give again. With ReLU and residual 7 (x, dy, y, dresidual, then x, dresidual, dx).
//
// Two passes over the data and between them one small kernel with a warp for each channel. Both passes cut [rows, c]
// into tiles; a thread keeps to N columns, so that what belongs to a channel stays in registers, and walks down its
// rows. The second pass walks the way back, from the last row to the first: what the first pass read last is still in
// the L2 cache.
//
// Several tensors of x and slices of y are columns of one matrix: a thread looks up whose column it has.
#include <algorithm>
#include <numeric>
#include <type_traits>

#include "cuda/column_sum.cuh"
#include "cuda/types.h"
#include "tensor/ops/batch_norm.h"

namespace avs::cuda {
namespace {

// ---- the matrix ----

// Some tensors' columns side by side: column j lies in the last slice that begins at j or before.
struct Slices {
  int count;
  int64_t begin[kMaxBatchNormSlices], stride[kMaxBatchNormSlices];  // stride: elements from row to row

  __device__ int of_column(int64_t column) const {
    int i = 0;
    while (i + 1 < count && column >= begin[i + 1]) ++i;
    return i;
  }
};
template <typename T>
struct Pointers {  // row 0 of each slice's first column; null: no tensor
  T* at[kMaxBatchNormSlices];
};

// Column j is channel j % c: where each tensor is whole and its c no multiple of the vector's width, some rows side by
// side are one row of `width` columns.
struct Matrix {
  int64_t rows = 0, width = 0, c = 0, rows_per_block = 0;
  Slices x, y;  // x and dx; y, residual, dy and dresidual
};

// f32 [c] each
struct Channels {
  const float *mean, *inverse_std, *gamma, *beta;  // gamma may be null
  __device__ float scale(int64_t channel) const {
    return gamma == nullptr ? inverse_std[channel] : inverse_std[channel] * gamma[channel];
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

// A thread's place: which slices its first column lies in, where row `first` begins there, and the steps from row to row.
struct Place {
  int x, y, x_stride, y_stride;
  int64_t in_x, in_y;
};
template <int N>
__device__ inline int64_t own_column() {
  return (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * N;
}
__device__ inline Place place_of(const Matrix& m, int64_t column, int64_t first) {
  const int x = m.x.of_column(column), y = m.y.of_column(column);
  const int64_t x_stride = m.x.stride[x], y_stride = m.y.stride[y];
  return {x,
          y,
          static_cast<int>(x_stride),
          static_cast<int>(y_stride),
          first * x_stride + column - m.x.begin[x],
          first * y_stride + column - m.y.begin[y]};
}

// ---- forward ----

// partial: [2, width, pieces]: for each column and piece of rows, the mean and the sum of squared differences from it.
// Sums x - shift, where shift is the piece's first row, so that a mean far from zero costs the variance no digits.
template <typename T, int N>
__global__ void __launch_bounds__(kBlock, 4)
    batch_norm_statistics_kernel(__grid_constant__ const Matrix m, __grid_constant__ const Pointers<const T> from,
                                 float* __restrict__ partial) {
  const int64_t column = own_column<N>(), first = int64_t{blockIdx.y} * m.rows_per_block;
  const int64_t last = min(m.rows, first + m.rows_per_block);
  float shift[N] = {}, sums[2 * N] = {};
  if (column < m.width) {
    const int i = m.x.of_column(column);
    const T* __restrict__ const x = from.at[i] + column - m.x.begin[i];
    const int64_t stride = m.x.stride[i];
    const Pack<T, N> top = load_pack<N>(x + first * stride);
#pragma unroll
    for (int k = 0; k < N; ++k) shift[k] = to_float(top.at[k]);
#pragma unroll 4
    for (int64_t row = first + threadIdx.y; row < last; row += blockDim.y) {
      const Pack<T, N> pack = load_pack<N>(x + row * stride);
#pragma unroll
      for (int k = 0; k < N; ++k) {
        const float a = to_float(pack.at[k]) - shift[k];
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
    batch_norm_moments_kernel(__grid_constant__ const Matrix m, int64_t pieces, const float* __restrict__ partial,
                              float epsilon, Running running, float* __restrict__ mean,
                              float* __restrict__ inverse_std) {
  const int64_t channel = first_item() / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (channel >= m.c) return;
  double sum = 0, squares = 0;
  for (int64_t column = channel; column < m.width; column += m.c)
#pragma unroll 4
    for (int64_t p = lane; p < pieces; p += 32) {
      const auto rows = static_cast<double>(min(m.rows_per_block, m.rows - p * m.rows_per_block));
      const auto center = static_cast<double>(partial[column * pieces + p]);
      sum += rows * center;
      squares += static_cast<double>(partial[(m.width + column) * pieces + p]) + rows * center * center;
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

__global__ void __launch_bounds__(kBlock)
    batch_norm_inverse_std_kernel(int64_t c, const float* __restrict__ variance, float epsilon,
                                  float* __restrict__ inverse_std) {
  for (int64_t k = first_item(); k < c; k += item_stride())
    inverse_std[k] = static_cast<float>(1.0 / sqrt(static_cast<double>(variance[k]) + static_cast<double>(epsilon)));
}

// y = relu((x - mean) * scale + beta + residual), from the last row to the first
template <typename T, int N, bool kResidual>
__global__ void __launch_bounds__(kBlock)
    batch_norm_kernel(__grid_constant__ const Matrix m, __grid_constant__ const Pointers<const T> from,
                      Channels channels, const T* __restrict__ residual, bool relu,
                      __grid_constant__ const Pointers<T> to) {
  const int64_t column = own_column<N>(), first = (int64_t{gridDim.y} - 1 - blockIdx.y) * m.rows_per_block;
  if (column >= m.width) return;
  const Place place = place_of(m, column, first);
  const auto rows = static_cast<int>(min(m.rows - first, m.rows_per_block));
  const T* __restrict__ const x = from.at[place.x] + place.in_x;
  T* __restrict__ const y = to.at[place.y] + place.in_y;
  if constexpr (kResidual) residual += place.in_y;
  float mean[N], scale[N], beta[N];
  for_channels<N>(column, m.c, [&](int k, int64_t channel) {
    mean[k] = channels.mean[channel];
    scale[k] = channels.scale(channel);
    beta[k] = channels.beta[channel];
  });
#pragma unroll 4
  for (int row = rows - 1 - static_cast<int>(threadIdx.y); row >= 0; row -= static_cast<int>(blockDim.y)) {
    const int64_t at = int64_t{row} * place.y_stride;
    const Pack<T, N> pack = load_pack<N>(x + int64_t{row} * place.x_stride);
    Pack<T, N> added, out;
    if constexpr (kResidual) added = load_pack<N>(residual + at);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      float value = (to_float(pack.at[k]) - mean[k]) * scale[k] + beta[k];
      if constexpr (kResidual) value += to_float(added.at[k]);
      out.at[k] = from_float<T>(relu && value < 0.0f ? 0.0f : value);  // lets NaN through
    }
    store_pack(y + at, out);
  }
}

// ---- backward ----

// partial: [2, width, pieces], sums of g and of g * (x - mean). `masked`, where there is one, gets g.
template <typename T, int N, bool kRelu>
__global__ void __launch_bounds__(kBlock, N == 8 ? 3 : 4)
    batch_norm_sums_kernel(__grid_constant__ const Matrix m, __grid_constant__ const Pointers<const T> from,
                           const float* __restrict__ means, __grid_constant__ const Pointers<const T> output,
                           __grid_constant__ const Pointers<const T> upstream, T* __restrict__ masked,
                           float* __restrict__ partial) {
  const int64_t column = own_column<N>(), first = int64_t{blockIdx.y} * m.rows_per_block;
  const auto rows = static_cast<int>(min(m.rows - first, m.rows_per_block));
  float mean[N], sums[2 * N] = {};
  if (column < m.width) {
    const Place place = place_of(m, column, first);
    const T* __restrict__ const x = from.at[place.x] + place.in_x;
    const T* __restrict__ const dy = upstream.at[place.y] + place.in_y;
    const T* __restrict__ const y = kRelu ? output.at[place.y] + place.in_y : nullptr;
    if (masked != nullptr) masked += place.in_y;
    for_channels<N>(column, m.c, [&](int k, int64_t channel) { mean[k] = means[channel]; });
#pragma unroll 2
    for (int row = static_cast<int>(threadIdx.y); row < rows; row += static_cast<int>(blockDim.y)) {
      const int64_t at = int64_t{row} * place.y_stride;
      const Pack<T, N> pack = load_pack<N>(x + int64_t{row} * place.x_stride);
      Pack<T, N> g = load_pack<N>(dy + at), out;
      if constexpr (kRelu) out = load_pack<N>(y + at);
#pragma unroll
      for (int k = 0; k < N; ++k) {
        float value = to_float(g.at[k]);
        if constexpr (kRelu) value = to_float(out.at[k]) > 0.0f ? value : 0.0f;
        sums[k] += value;
        sums[N + k] += value * (to_float(pack.at[k]) - mean[k]);
        g.at[k] = from_float<T>(value);
      }
      if (masked != nullptr) store_pack(masked + at, g);
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

// A warp for each channel. means: [2, c], of g and, times inverse_std^2, of g * (x - mean); zero with fixed moments.
__global__ void __launch_bounds__(kBlock)
    batch_norm_gradients_kernel(__grid_constant__ const Matrix m, int64_t pieces, bool fixed,
                                const float* __restrict__ inverse_stds, const float* __restrict__ partial,
                                float* __restrict__ dgamma, float* __restrict__ dbeta, float* __restrict__ means) {
  const int64_t channel = first_item() / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (channel >= m.c) return;
  double sum = 0, along = 0;
  for (int64_t column = channel; column < m.width; column += m.c)
#pragma unroll 4
    for (int64_t p = lane; p < pieces; p += 32) {
      sum += static_cast<double>(partial[column * pieces + p]);
      along += static_cast<double>(partial[(m.width + column) * pieces + p]);
    }
  sum = warp_sum(sum);
  along = warp_sum(along);
  if (lane != 0) return;
  const auto inverse_std = static_cast<double>(inverse_stds[channel]);
  dbeta[channel] = static_cast<float>(sum);
  if (dgamma != nullptr) dgamma[channel] = static_cast<float>(along * inverse_std);
  const auto rows = static_cast<double>(m.rows * (m.width / m.c));
  means[channel] = fixed ? 0.0f : static_cast<float>(sum / rows);
  means[m.c + channel] = fixed ? 0.0f : static_cast<float>(along * inverse_std * inverse_std / rows);
}

// dx = scale * (g - mean(g) - (x - mean) * slope), from the last row to the first
template <typename T, int N, bool kRelu>
__global__ void __launch_bounds__(kBlock)
    batch_norm_backward_kernel(__grid_constant__ const Matrix m, __grid_constant__ const Pointers<const T> from,
                               Channels channels, const float* __restrict__ means,
                               __grid_constant__ const Pointers<const T> output,
                               __grid_constant__ const Pointers<const T> upstream,
                               __grid_constant__ const Pointers<T> to) {
  const int64_t column = own_column<N>(), first = (int64_t{gridDim.y} - 1 - blockIdx.y) * m.rows_per_block;
  if (column >= m.width) return;
  const Place place = place_of(m, column, first);
  const auto rows = static_cast<int>(min(m.rows - first, m.rows_per_block));
  const T* __restrict__ const x = from.at[place.x] + place.in_x;
  const T* __restrict__ const dy = upstream.at[place.y] + place.in_y;
  const T* __restrict__ const y = kRelu ? output.at[place.y] + place.in_y : nullptr;
  T* __restrict__ const dx = to.at[place.x] + place.in_x;
  float mean[N], scale[N], mean_g[N], slope[N];
  for_channels<N>(column, m.c, [&](int k, int64_t channel) {
    mean[k] = channels.mean[channel];
    scale[k] = channels.scale(channel);
    mean_g[k] = means[channel];
    slope[k] = means[m.c + channel];
  });
#pragma unroll 2
  for (int row = rows - 1 - static_cast<int>(threadIdx.y); row >= 0; row -= static_cast<int>(blockDim.y)) {
    const int64_t at = int64_t{row} * place.y_stride;
    const Pack<T, N> pack = load_pack<N>(x + int64_t{row} * place.x_stride);
    Pack<T, N> g = load_pack<N>(dy + at), out;
    if constexpr (kRelu) out = load_pack<N>(y + at);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      float value = to_float(g.at[k]);
      if constexpr (kRelu) value = to_float(out.at[k]) > 0.0f ? value : 0.0f;
      g.at[k] = from_float<T>(scale[k] * (value - mean_g[k] - (to_float(pack.at[k]) - mean[k]) * slope[k]));
    }
    store_pack(dx + int64_t{row} * place.x_stride, g);
  }
}

// ---- on the host ----

template <typename T>
T* data_of(Tensor t) {
  return t.defined() ? t.data<T>() : nullptr;
}

template <typename T>
Pointers<T> pointers_to(const std::vector<Tensor>& tensors) {
  Pointers<T> pointers{};
  for (size_t i = 0; i < tensors.size(); ++i) pointers.at[i] = data_of<std::remove_const_t<T>>(tensors[i]);
  return pointers;
}
template <typename T>
Pointers<T> pointers_to(const std::vector<ChannelSlice>& slices) {
  Pointers<T> pointers{};
  for (size_t i = 0; i < slices.size(); ++i)
    if (slices[i].whole.defined()) pointers.at[i] = data_of<std::remove_const_t<T>>(slices[i].whole) + slices[i].first;
  return pointers;
}

Slices slices_of(const std::vector<ChannelSlice>& all) {
  Slices slices{};
  int64_t begin = 0;
  for (const ChannelSlice& slice : all) {
    slices.begin[slices.count] = begin;
    slices.stride[slices.count++] = slice.whole.shape()[-1];
    begin += slice.count;
  }
  return slices;
}

// The matrix of x and y, and how a kernel's blocks share it.
struct Plan {
  Matrix matrix;
  Grid grid;  // x: tiles of columns, y: pieces of the rows
  int64_t pieces;

  Tensor partials(Device device) const { return Tensor::empty({2, matrix.width, pieces}, DType::F32, device); }
  Grid warp_per_channel() const {
    return {.blocks = dim3(static_cast<unsigned>(blocks_for(matrix.c * 32, kBlock))), .threads = dim3(kBlock)};
  }
};

// run<N>(plan), N elements at a time: 16 bytes if all columns and `data`, row 0 of the slices, allow it.
template <typename T, typename Run, typename... Data>
void in_packs(const std::vector<Tensor>& x, const std::vector<ChannelSlice>& y, Run&& run, const Data&... data) {
  constexpr int64_t kMinRows = 4;  // loads in flight for a thread
  constexpr int N = 16 / sizeof(T);
  Matrix m{.x = slices_of({x.begin(), x.end()}), .y = slices_of(y)};
  for (const Tensor& part : x) m.c += part.shape()[-1];
  m.rows = x[0].size() / x[0].shape()[-1];
  const bool whole = x.size() == 1 && y.size() == 1 && m.c == m.y.stride[0];
  const int64_t fold = whole ? N / std::gcd(m.c, int64_t{N}) : 1;
  bool packed = fold * m.c % N == 0 && m.rows % fold == 0;
  for (const Slices& slices : {m.x, m.y})
    for (int i = 0; i < slices.count; ++i)
      packed = packed && slices.begin[i] % N == 0 && fold * slices.stride[i] % N == 0;
  for (size_t i = 0; i < kMaxBatchNormSlices; ++i) packed = packed && packs<N>(N, data.at[i]...);
  if (packed && fold > 1) {
    m.rows /= fold;
    m.x.stride[0] = m.y.stride[0] = fold * m.c;
  }
  m.width = packed ? fold * m.c : m.c;
  const ColumnCut cut = cut_columns(m.rows, m.width, packed ? N : 1, kMinRows);
  m.rows_per_block = cut.rows_per_block;
  const Plan plan{.matrix = m,
                  .grid = {.blocks = dim3(static_cast<unsigned>(cut.tiles), static_cast<unsigned>(cut.parts)),
                           .threads = cut.threads},
                  .pieces = cut.parts};
  packed ? run.template operator()<N>(plan) : run.template operator()<1>(plan);
}

}  // namespace

// ---- entry points ----

void batch_norm(const std::vector<Tensor>& x, const Tensor& gamma, const Tensor& beta, const Tensor& residual,
                RunningMoments& running, BatchNormSpec spec, BatchNormMoments& moments, std::vector<ChannelSlice>& y) {
  const Device device = x[0].device();
  const auto rows = static_cast<double>(x[0].size() / x[0].shape()[-1]);
  const Running move{running.mean.data<float>(), running.variance.data<float>(), double{spec.new_value_weight},
                     rows / std::max(rows - 1.0, 1.0)};
  float *const mean = moments.mean.data<float>(), *const inverse_std = moments.inverse_std.data<float>();
  const Channels channels{mean, inverse_std, data_of<float>(gamma), beta.data<float>()};
  for_floating("batch_norm", x[0].dtype(), [&]<typename T>() {
    const auto from = pointers_to<const T>(x);
    const auto to = pointers_to<T>(y);
    const auto added = pointers_to<const T>(std::vector<ChannelSlice>{{residual, y[0].first, y[0].count}});
    const auto run = [&]<int N>(const Plan& plan) {
      if (spec.moments == Moments::Running) {
        launch("batch_norm_inverse_std_kernel", batch_norm_inverse_std_kernel, plan.warp_per_channel(), device,
               plan.matrix.c, static_cast<const float*>(move.variance), spec.epsilon, inverse_std);
      } else {
        Tensor partial = plan.partials(device);
        launch("batch_norm_statistics_kernel", batch_norm_statistics_kernel<T, N>, plan.grid, device, plan.matrix, from,
               partial.data<float>());
        launch("batch_norm_moments_kernel", batch_norm_moments_kernel, plan.warp_per_channel(), device, plan.matrix,
               plan.pieces, static_cast<const float*>(partial.data<float>()), spec.epsilon, move, mean, inverse_std);
      }
      const auto kernel = added.at[0] == nullptr ? batch_norm_kernel<T, N, false> : batch_norm_kernel<T, N, true>;
      launch("batch_norm_kernel", kernel, plan.grid, device, plan.matrix, from, channels, added.at[0],
             spec.activation == Activation::Relu, to);
    };
    in_packs<T>(x, y, run, from, to, added);
  });
}

void batch_norm_backward(const std::vector<Tensor>& x, const std::vector<ChannelSlice>& y, const Tensor& gamma,
                         const BatchNormMoments& moments, const std::vector<ChannelSlice>& dy, BatchNormSpec spec,
                         BatchNormGradients& gradients) {
  const Device device = x[0].device();
  const Channels channels{moments.mean.data<float>(), moments.inverse_std.data<float>(), data_of<float>(gamma),
                          nullptr};
  const bool relu = spec.activation == Activation::Relu;
  for_floating("batch_norm_backward", x[0].dtype(), [&]<typename T>() {
    const auto from = pointers_to<const T>(x), upstream = pointers_to<const T>(dy),
               out = relu ? pointers_to<const T>(y) : Pointers<const T>{};
    const auto masked = pointers_to<T>(std::vector<ChannelSlice>{{gradients.dresidual, dy[0].first, dy[0].count}});
    const auto dx = pointers_to<T>(gradients.dx);
    const auto run = [&]<int N>(const Plan& plan) {
      const Matrix& m = plan.matrix;
      Tensor partial = plan.partials(device), means = Tensor::empty({2, m.c}, DType::F32, device);
      const auto sums = relu ? batch_norm_sums_kernel<T, N, true> : batch_norm_sums_kernel<T, N, false>;
      launch("batch_norm_sums_kernel", sums, plan.grid, device, m, from, channels.mean, out, upstream, masked.at[0],
             partial.data<float>());
      launch("batch_norm_gradients_kernel", batch_norm_gradients_kernel, plan.warp_per_channel(), device, m,
             plan.pieces, spec.moments == Moments::Running, channels.inverse_std,
             static_cast<const float*>(partial.data<float>()), data_of<float>(gradients.dgamma),
             gradients.dbeta.data<float>(), means.data<float>());
      if (gradients.dx.empty()) return;
      // g is in memory: y and dy are not read again.
      const bool mask = relu && masked.at[0] == nullptr;
      const auto g = masked.at[0] == nullptr ? upstream : Pointers<const T>{{masked.at[0]}};
      const auto kernel = mask ? batch_norm_backward_kernel<T, N, true> : batch_norm_backward_kernel<T, N, false>;
      launch("batch_norm_backward_kernel", kernel, plan.grid, device, m, from, channels,
             static_cast<const float*>(means.data<float>()), out, g, dx);
    };
    in_packs<T>(x, dy, run, from, upstream, out, dx, masked);
  });
}

}  // namespace avs::cuda
