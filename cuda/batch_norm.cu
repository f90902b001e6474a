// Batch normalisation on CUDA. Memory bound; elements moved per element of x: forward 3 (x twice, y), 4 with a
// residual; backward 5 (x and dy twice, dx), and this code moves 7 with ReLU: it reads y for the mask in both passes, which
// x, mean, scale and beta would give again. With ReLU and residual 7 (x, dy, y, dresidual, then x, dresidual, dx).
//
// Two passes over the data and between them one small kernel with a warp for each channel. Both passes cut [rows, c]
// into tiles; a thread keeps to N columns, so that what belongs to a channel stays in registers, and walks down its
// rows. The second pass walks the way back, from the last row to the first: what the first pass read last is still in
// the L2 cache.
//
// Tensors that stand side by side in y are columns of one matrix: a thread looks up whose column it has, and reads x
// there; y, residual, dy and dresidual it reads and writes in whole rows, like those of a single tensor.
#include <algorithm>
#include <numeric>

#include "cuda/column_sum.cuh"
#include "cuda/types.h"
#include "tensor/ops/batch_norm.h"

namespace avs::cuda {
namespace {

// ---- the matrix ----

// Column j is a channel of one of the parts. Where there is one part alone and its c is no multiple of the vector's
// width, some rows side by side are one row of `width` columns, and column j is channel j % c.
struct Matrix {
  int64_t rows, width, c, rows_per_block;
  int64_t stride;  // from row to row of y, residual, dy and dresidual
};

enum class Spread : uint8_t { InverseStd, Variance };  // of this batch, or the running one

template <typename T>
struct PartOf {
  const T* x;
  T* dx;
  int64_t begin, width;  // columns: the first, and how many
  int64_t first;         // of y, residual, dy and dresidual
  float *mean, *spread, *running_mean, *running_variance;
  const float *gamma, *beta;  // gamma may be null
  float *dgamma, *dbeta;      // dgamma may be null

  __device__ float inverse_std(int64_t channel, Spread kind, float epsilon) const {
    return kind == Spread::InverseStd ? spread[channel] : 1.0f / sqrtf(spread[channel] + epsilon);
  }
  __device__ float scale(int64_t channel, Spread kind, float epsilon) const {
    return gamma == nullptr ? inverse_std(channel, kind, epsilon)
                            : inverse_std(channel, kind, epsilon) * gamma[channel];
  }
};

constexpr int kMostParts = 8;

template <typename T>
struct Parts {
  int count;
  PartOf<T> at[kMostParts];

  __device__ const PartOf<T>& of_column(int64_t column) const {
    int i = 0;
    while (i + 1 < count && column >= at[i + 1].begin) ++i;
    return at[i];
  }
};

// visit(k, channel of column + k), the part's
template <int N, typename Visit>
__device__ inline void for_channels(int64_t column, int64_t c, Visit&& visit) {
  int64_t channel = column < c ? column : column % c;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    visit(k, channel);
    if (++channel == c) channel = 0;
  }
}

template <int N>
__device__ inline int64_t my_column() {
  return (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * N;
}

// ---- forward ----

// partial: [2, width, pieces], the means of a piece's rows and the sums of squares around them. Sums are of x - shift,
// shift being the piece's first row, so that a mean far from zero costs no digits of the variance.
template <typename T, int N>
__global__ void __launch_bounds__(kBlock, 4)
    batch_norm_statistics_kernel(Matrix m, __grid_constant__ const Parts<T> parts, float* __restrict__ partial) {
  const int64_t column = my_column<N>(), first = int64_t{blockIdx.y} * m.rows_per_block;
  const int64_t last = min(m.rows, first + m.rows_per_block);
  float shift[N] = {}, sums[2 * N] = {};
  if (column < m.width) {
    const PartOf<T>& part = parts.of_column(column);
    const T* __restrict__ const x = part.x + column - part.begin;
    const int64_t width = part.width;
    const Pack<T, N> top = load_pack<N>(x + first * width);
#pragma unroll
    for (int k = 0; k < N; ++k) shift[k] = to_float(top.at[k]);
#pragma unroll 4
    for (int64_t row = first + threadIdx.y; row < last; row += blockDim.y) {
      const Pack<T, N> here = load_pack<N>(x + row * width);
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
  double weight, correction;
};

// A warp for each channel. In double: sums of squares around zero lose nothing that f32 values had.
template <typename T>
__global__ void __launch_bounds__(kBlock)
    batch_norm_moments_kernel(Matrix m, int64_t pieces, const float* __restrict__ partial, float epsilon,
                              Running running, __grid_constant__ const Parts<T> parts) {
  const int64_t of_all = first_item() / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (of_all >= m.c) return;
  double sum = 0, squares = 0;
  for (int64_t column = of_all; column < m.width; column += m.c)
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
  const PartOf<T>& part = parts.of_column(of_all);
  const int64_t channel = of_all - part.begin;
  const auto rows = static_cast<double>(m.rows * (m.width / m.c));
  const double center = sum / rows, around = squares / rows - center * center;
  const double variance = around < 0.0 ? 0.0 : around;  // fmax() would turn NaN into 0
  part.mean[channel] = static_cast<float>(center);
  part.spread[channel] = static_cast<float>(1.0 / sqrt(variance + static_cast<double>(epsilon)));
  const auto moved = [&](float old, double now) {
    return static_cast<float>((1.0 - running.weight) * static_cast<double>(old) + running.weight * now);
  };
  part.running_mean[channel] = moved(part.running_mean[channel], center);
  part.running_variance[channel] = moved(part.running_variance[channel], running.correction * variance);
}

// y = relu((x - mean) * scale + beta + residual), from the last row to the first
template <typename T, int N, bool kResidual>
__global__ void __launch_bounds__(kBlock)
    batch_norm_kernel(Matrix m, __grid_constant__ const Parts<T> parts, Spread kind, float epsilon,
                      const T* __restrict__ residual, bool relu, T* __restrict__ y) {
  const int64_t column = my_column<N>(), first = (int64_t{gridDim.y} - 1 - blockIdx.y) * m.rows_per_block;
  if (column >= m.width) return;
  const PartOf<T>& part = parts.of_column(column);
  const auto width = static_cast<int>(part.width), mine = static_cast<int>(column - part.begin);
  const auto rows = static_cast<int>(min(m.rows - first, m.rows_per_block));
  const T* __restrict__ const x = part.x + first * width + mine;
  const int64_t of_y = first * m.stride + part.first + mine;
  float mean[N], scale[N], beta[N];
  for_channels<N>(mine, min(m.c, int64_t{width}), [&](int k, int64_t channel) {
    mean[k] = part.mean[channel];
    scale[k] = part.scale(channel, kind, epsilon);
    beta[k] = part.beta[channel];
  });
#pragma unroll 4
  for (int row = rows - 1 - static_cast<int>(threadIdx.y); row >= 0; row -= static_cast<int>(blockDim.y)) {
    const int64_t at = row * m.stride + of_y;
    const Pack<T, N> here = load_pack<N>(x + int64_t{row} * width);
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

// partial: [2, width, pieces], sums of g and of g * (x - mean). `masked`, where there is one, gets g. With fixed
// statistics dx = scale * g needs no sums and is written at once.
template <typename T, int N, bool kRelu, Spread kSpread>
__global__ void __launch_bounds__(kBlock, kSpread == Spread::Variance ? 3 : 4 - (N == 8 && kRelu ? on_sm_120(1) : 0))
    batch_norm_sums_kernel(Matrix m, __grid_constant__ const Parts<T> parts, float epsilon, const T* __restrict__ y,
                           const T* __restrict__ dy, T* __restrict__ masked, float* __restrict__ partial) {
  const int64_t column = my_column<N>(), first = int64_t{blockIdx.y} * m.rows_per_block;
  const auto rows = static_cast<int>(min(m.rows - first, m.rows_per_block));
  float mean[N], scale[N], sums[2 * N] = {};
  if (column < m.width) {
    const PartOf<T>& part = parts.of_column(column);
    const auto width = static_cast<int>(part.width), mine = static_cast<int>(column - part.begin);
    const T* __restrict__ const x = part.x + first * width + mine;
    T* __restrict__ const dx = part.dx + first * width + mine;
    const int64_t of_y = first * m.stride + part.first + mine;
    for_channels<N>(mine, min(m.c, int64_t{width}), [&](int k, int64_t channel) {
      mean[k] = part.mean[channel];
      if constexpr (kSpread == Spread::Variance) scale[k] = part.scale(channel, kSpread, epsilon);
    });
#pragma unroll 2
    for (int row = static_cast<int>(threadIdx.y); row < rows; row += static_cast<int>(blockDim.y)) {
      const int64_t at = row * m.stride + of_y;
      const Pack<T, N> here = load_pack<N>(x + int64_t{row} * width);
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
      if constexpr (kSpread == Spread::Variance) store_pack(dx + int64_t{row} * width, out);
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

// A warp for each channel. means: [2, c] of all parts, of g and, times inverse_std^2, of g * (x - mean).
template <typename T>
__global__ void __launch_bounds__(kBlock)
    batch_norm_gradients_kernel(Matrix m, int64_t pieces, __grid_constant__ const Parts<T> parts, Spread kind,
                                float epsilon, const float* __restrict__ partial, float* __restrict__ means) {
  const int64_t of_all = first_item() / 32;
  const int lane = static_cast<int>(threadIdx.x) % 32;
  if (of_all >= m.c) return;
  double sum = 0, along = 0;
  for (int64_t column = of_all; column < m.width; column += m.c)
#pragma unroll 4
    for (int64_t p = lane; p < pieces; p += 32) {
      sum += static_cast<double>(partial[column * pieces + p]);
      along += static_cast<double>(partial[(m.width + column) * pieces + p]);
    }
  sum = warp_sum(sum);
  along = warp_sum(along);
  if (lane != 0) return;
  const PartOf<T>& part = parts.of_column(of_all);
  const int64_t channel = of_all - part.begin;
  const auto inverse_std = static_cast<double>(part.inverse_std(channel, kind, epsilon));
  part.dbeta[channel] = static_cast<float>(sum);
  if (part.dgamma != nullptr) part.dgamma[channel] = static_cast<float>(along * inverse_std);
  const auto rows = static_cast<double>(m.rows * (m.width / m.c));
  means[of_all] = static_cast<float>(sum / rows);
  means[m.c + of_all] = static_cast<float>(along * inverse_std * inverse_std / rows);
}

// dx = scale * (g - mean(g) - (x - mean) * slope), from the last row to the first
template <typename T, int N, bool kRelu>
__global__ void __launch_bounds__(kBlock)
    batch_norm_backward_kernel(Matrix m, __grid_constant__ const Parts<T> parts, const float* __restrict__ means,
                               const T* __restrict__ y, const T* __restrict__ dy) {
  const int64_t column = my_column<N>(), first = (int64_t{gridDim.y} - 1 - blockIdx.y) * m.rows_per_block;
  if (column >= m.width) return;
  const PartOf<T>& part = parts.of_column(column);
  const auto width = static_cast<int>(part.width), mine = static_cast<int>(column - part.begin);
  const auto rows = static_cast<int>(min(m.rows - first, m.rows_per_block));
  const T* __restrict__ const x = part.x + first * width + mine;
  T* __restrict__ const dx = part.dx + first * width + mine;
  const int64_t of_y = first * m.stride + part.first + mine;
  float mean[N], scale[N], mean_g[N], slope[N];
  for_channels<N>(mine, min(m.c, int64_t{width}), [&](int k, int64_t channel) {
    mean[k] = part.mean[channel];
    scale[k] = part.scale(channel, Spread::InverseStd, 0.0f);
    mean_g[k] = means[part.begin + channel];
    slope[k] = means[m.c + part.begin + channel];
  });
#pragma unroll 2
  for (int row = rows - 1 - static_cast<int>(threadIdx.y); row >= 0; row -= static_cast<int>(blockDim.y)) {
    const int64_t at = row * m.stride + of_y;
    const Pack<T, N> here = load_pack<N>(x + int64_t{row} * width);
    Pack<T, N> g = load_pack<N>(dy + at), out;
    if constexpr (kRelu) out = load_pack<N>(y + at);
#pragma unroll
    for (int k = 0; k < N; ++k) {
      float value = to_float(g.at[k]);
      if constexpr (kRelu) value = to_float(out.at[k]) > 0.0f ? value : 0.0f;
      g.at[k] = from_float<T>(scale[k] * (value - mean_g[k] - (to_float(here.at[k]) - mean[k]) * slope[k]));
    }
    store_pack(dx + int64_t{row} * width, g);
  }
}

// ---- on the host ----

using Sides = std::vector<BatchNormPart>;

float* floats_of(Tensor t) { return t.defined() ? t.data<float>() : nullptr; }
template <typename T>
T* data_of(Tensor t) {
  return t.defined() ? t.data<T>() : nullptr;
}

Grid warps_for(int64_t c) {
  return {.blocks = dim3(static_cast<unsigned>(blocks_for(c * 32, kBlock))), .threads = dim3(kBlock)};
}

// One launch's parts and how their matrix is cut.
template <typename T>
struct Cut {
  Parts<T> parts;
  Matrix matrix;
  Grid grid;  // x: tiles of columns, y: pieces of the rows
  int64_t pieces;

  Tensor partials(Device device) const {
    const Shape shape{2, matrix.width, pieces};
    return Tensor::empty(shape, DType::F32, device);
  }
};

// [rows, c] of all parts, `fold` rows side by side.
template <typename T>
Cut<T> cut_matrix(const Parts<T>& parts, int64_t rows, int64_t c, int64_t outer, int64_t fold, int packed) {
  constexpr int64_t kFewestRows = 4;  // loads in flight for a thread
  const ColumnCut cut = cut_columns(rows / fold, fold * c, packed, kFewestRows);
  return {.parts = parts,
          .matrix = {rows / fold, fold * c, c, cut.rows_per_block, fold * outer},
          .grid = {.blocks = dim3(static_cast<unsigned>(cut.tiles), static_cast<unsigned>(cut.parts)),
                   .threads = cut.threads},
          .pieces = cut.parts};
}

// run<N>(cut) for up to kMostParts parts at a time: 16 bytes at a time where the addresses and numbers of channels
// allow it. `outer`: the channels of y, residual, dy and dresidual, whose addresses are `data`.
template <typename T, typename Run, typename... Pointers>
void in_packs(const Sides& sides, std::vector<BatchNormPartGradients>* gradients, Spread kind, int64_t outer, Run&& run,
              const Pointers*... data) {
  constexpr int N = 16 / sizeof(T);
  for (size_t from = 0; from < sides.size(); from += kMostParts) {
    Parts<T> parts{};
    int64_t c = 0;
    bool packed = packs<N>(N, data...);
    const auto count = std::min<size_t>(kMostParts, sides.size() - from);
    for (size_t i = from; i < from + count; ++i) {
      const BatchNormPart& side = sides[i];
      PartOf<T>& part = parts.at[parts.count++];
      const int64_t channels = side.x.shape()[-1];
      part = {.x = data_of<T>(side.x),
              .dx = nullptr,
              .begin = c,
              .width = channels,
              .first = side.first,
              .mean = floats_of(kind == Spread::InverseStd ? side.mean : side.running_mean),
              .spread = floats_of(kind == Spread::InverseStd ? side.inverse_std : side.running_variance),
              .running_mean = floats_of(side.running_mean),
              .running_variance = floats_of(side.running_variance),
              .gamma = floats_of(side.gamma),
              .beta = floats_of(side.beta),
              .dgamma = nullptr,
              .dbeta = nullptr};
      if (gradients != nullptr) {
        part.dx = data_of<T>((*gradients)[i].dx);
        part.dgamma = floats_of((*gradients)[i].dgamma);
        part.dbeta = floats_of((*gradients)[i].dbeta);
      }
      packed = packed && side.first % N == 0 && packs<N>(N, part.x, static_cast<const T*>(part.dx));
      c += channels;
    }
    const int64_t rows = sides[from].x.size() / parts.at[0].width,
                  fold = c == outer && count == 1 ? N / std::gcd(c, int64_t{N}) : 1;
    const bool whole =
        std::all_of(parts.at, parts.at + parts.count, [&](const PartOf<T>& p) { return fold * p.width % N == 0; });
    if (packed && whole && rows % fold == 0 && fold * outer % N == 0) {
      parts.at[0].width *= fold;
      run.template operator()<N>(cut_matrix(parts, rows, c, outer, fold, N));
    } else {
      run.template operator()<1>(cut_matrix(parts, rows, c, outer, 1, 1));
    }
  }
}

template <typename T>
void apply(const Sides& parts, Spread kind, const Tensor& residual, const BatchNormSpec& spec, Tensor& y) {
  const T* const added = data_of<T>(residual);
  T* const to = y.data<T>();
  const auto run = [&]<int N>(const Cut<T>& cut) {
    const auto kernel = added == nullptr ? batch_norm_kernel<T, N, false> : batch_norm_kernel<T, N, true>;
    launch("batch_norm_kernel", kernel, cut.grid, y.device(), cut.matrix, cut.parts, kind, spec.epsilon, added,
           spec.activation == Activation::Relu, to);
  };
  in_packs<T>(parts, nullptr, kind, y.shape()[-1], run, added, to);
}

// The pass that sums, and the one that finishes dgamma and dbeta; then, with this batch's statistics, dx.
template <typename T, Spread kSpread>
void differentiate(const Sides& parts, const Tensor& y, const Tensor& dy, const BatchNormSpec& spec,
                   std::vector<BatchNormPartGradients>& gradients, Tensor& dresidual) {
  const Device device = dy.device();
  const T* const out = spec.activation == Activation::Relu ? data_of<T>(y) : nullptr;
  const T* const upstream = dy.data<T>();
  T* const masked = data_of<T>(dresidual);
  const auto run = [&]<int N>(const Cut<T>& cut) {
    const Shape of_means{2, cut.matrix.c};
    Tensor partial = cut.partials(device);
    Tensor means = Tensor::empty(of_means, DType::F32, device);
    const auto sums =
        out == nullptr ? batch_norm_sums_kernel<T, N, false, kSpread> : batch_norm_sums_kernel<T, N, true, kSpread>;
    launch("batch_norm_sums_kernel", sums, cut.grid, device, cut.matrix, cut.parts, spec.epsilon, out, upstream, masked,
           partial.data<float>());
    launch("batch_norm_gradients_kernel", batch_norm_gradients_kernel<T>, warps_for(cut.matrix.c), device, cut.matrix,
           cut.pieces, cut.parts, kSpread, spec.epsilon, static_cast<const float*>(partial.data<float>()),
           means.data<float>());
    if constexpr (kSpread == Spread::InverseStd) {
      if (!gradients[0].wants_dx) return;
      // Where g is in memory there is no need to read y and dy again.
      const T *const mask = masked == nullptr ? out : nullptr, *const g = masked == nullptr ? upstream : masked;
      const auto kernel =
          mask == nullptr ? batch_norm_backward_kernel<T, N, false> : batch_norm_backward_kernel<T, N, true>;
      launch("batch_norm_backward_kernel", kernel, cut.grid, device, cut.matrix, cut.parts,
             static_cast<const float*>(means.data<float>()), mask, g);
    }
  };
  in_packs<T>(parts, &gradients, kSpread, dy.shape()[-1], run, out, upstream, masked);
}

}  // namespace

// ---- entry points ----

void batch_norm(Sides& parts, const Tensor& residual, BatchNormSpec spec, Tensor& y) {
  const Device device = y.device();
  const auto rows = static_cast<double>(parts[0].x.size() / parts[0].x.shape()[-1]);
  const double correction = spec.running_variance == RunningVariance::Unbiased ? rows / std::max(rows - 1.0, 1.0) : 1.0;
  const Running running{double{spec.new_value_weight}, correction};
  for_floating("batch_norm", y.dtype(), [&]<typename T>() {
    const auto statistics = [&]<int N>(const Cut<T>& cut) {
      Tensor partial = cut.partials(device);
      launch("batch_norm_statistics_kernel", batch_norm_statistics_kernel<T, N>, cut.grid, device, cut.matrix,
             cut.parts, partial.data<float>());
      launch("batch_norm_moments_kernel", batch_norm_moments_kernel<T>, warps_for(cut.matrix.c), device, cut.matrix,
             cut.pieces, static_cast<const float*>(partial.data<float>()), spec.epsilon, running, cut.parts);
    };
    in_packs<T>(parts, nullptr, Spread::InverseStd, y.shape()[-1], statistics);
    apply<T>(parts, Spread::InverseStd, residual, spec, y);
  });
}

void batch_norm_backward(const Sides& parts, const Tensor& y, const Tensor& dy, BatchNormSpec spec,
                         std::vector<BatchNormPartGradients>& gradients, Tensor& dresidual) {
  for_floating("batch_norm_backward", dy.dtype(),
               [&]<typename T>() { differentiate<T, Spread::InverseStd>(parts, y, dy, spec, gradients, dresidual); });
}

void batch_norm_inference(const Sides& parts, const Tensor& residual, BatchNormSpec spec, Tensor& y) {
  for_floating("batch_norm_inference", y.dtype(),
               [&]<typename T>() { apply<T>(parts, Spread::Variance, residual, spec, y); });
}

void batch_norm_inference_backward(const Sides& parts, const Tensor& y, const Tensor& dy, BatchNormSpec spec,
                                   std::vector<BatchNormPartGradients>& gradients, Tensor& dresidual) {
  std::vector<BatchNormPartGradients> all = gradients;  // the pass that sums writes dx, wanted or not
  for (size_t i = 0; i < all.size(); ++i)
    if (!all[i].dx.defined()) all[i].dx = Tensor::empty(parts[i].x.shape(), dy.dtype(), dy.device());
  for_floating("batch_norm_inference_backward", dy.dtype(),
               [&]<typename T>() { differentiate<T, Spread::Variance>(parts, y, dy, spec, all, dresidual); });
}

}  // namespace avs::cuda
