// The fusion sums on CUDA, a whole function in one kernel forward and one pass backward. Memory bound: forward moves
// one element of each x and of y, backward two of each x and one of dy; the groups' sums stay in registers, where
// backward computes them again.
#include "cuda/column_sum.cuh"
#include "cuda/elementwise.cuh"
#include "cuda/types.h"
#include "tensor/ops/fusion_sums.h"

namespace avs::cuda {
namespace {

constexpr int kMost = static_cast<int>(kMostFusionInputs);

// Inputs and parameters by group and place in it; places that are not taken are null.
template <typename T>
struct Fusion {
  const T* x[2][kMost];
  const float *w[2][kMost], *bias[2], *v[2], *c;  // v and c: null side by side
  bool relu;
  int64_t d;
};

__device__ inline float activated(float x, bool relu) { return relu && x < 0.0f ? 0.0f : x; }

// The parameters of N columns.
template <int N>
struct Columns {
  Pack<float, N> w[2][kMost], bias[2], v[2], c;
  template <typename T>
  __device__ void load(const Fusion<T>& f, int64_t column) {
#pragma unroll
    for (int k = 0; k < 2; ++k) {
#pragma unroll
      for (int i = 0; i < kMost; ++i)
        w[k][i] = f.x[k][i] == nullptr ? Pack<float, N>{} : load_channels<N>(f.w[k][i], column, f.d);
      bias[k] = load_channels<N>(f.bias[k], column, f.d);
      v[k] = f.c == nullptr ? Pack<float, N>{} : load_channels<N>(f.v[k], column, f.d);
    }
    c = f.c == nullptr ? Pack<float, N>{} : load_channels<N>(f.c, column, f.d);
  }
};

// One row's N columns of all inputs, and the groups' sums of them.
template <int N, typename T>
struct Sums {
  Pack<T, N> x[2][kMost];
  float group[2][N];
  __device__ Sums(const Fusion<T>& f, const Columns<N>& columns, int64_t at) {
#pragma unroll
    for (int k = 0; k < 2; ++k) {
#pragma unroll
      for (int n = 0; n < N; ++n) group[k][n] = columns.bias[k].at[n];
#pragma unroll
      for (int i = 0; i < kMost; ++i) {
        if (f.x[k][i] == nullptr) continue;
        x[k][i] = load_pack<N>(f.x[k][i] + at);
#pragma unroll
        for (int n = 0; n < N; ++n) group[k][n] += columns.w[k][i].at[n] * to_float(x[k][i].at[n]);
      }
#pragma unroll
      for (int n = 0; n < N; ++n) group[k][n] = activated(group[k][n], f.relu);
    }
  }
  __device__ float joint(const Columns<N>& columns, int n) const {  // before its activation
    return columns.c.at[n] + columns.v[0].at[n] * group[0][n] + columns.v[1].at[n] * group[1][n];
  }
};

// ---- forward ----

template <int N, typename T>
__global__ void __launch_bounds__(kBlock)
    fusion_sums_kernel(int64_t n, __grid_constant__ const Fusion<T> f, T* __restrict__ y) {
  for (int64_t i = first_item(); i * N < n; i += item_stride()) {
    const int64_t at = i * N, row = at / f.d, column = at % f.d;
    Columns<N> columns;
    columns.load(f, column);
    const Sums<N, T> sums(f, columns, at);
    if (f.c != nullptr) {
      Pack<T, N> out;
#pragma unroll
      for (int k = 0; k < N; ++k) out.at[k] = from_float<T>(activated(sums.joint(columns, k), f.relu));
      store_pack(y + at, out);
      continue;
    }
#pragma unroll
    for (int g = 0; g < 2; ++g) {
      Pack<T, N> out;
#pragma unroll
      for (int k = 0; k < N; ++k) out.at[k] = from_float<T>(sums.group[g][k]);
      store_pack(y + (2 * row + g) * f.d + column, out);
    }
  }
}

// ---- backward ----

// Quantities that are summed over rows: dw of every place, then the biases, v and c.
constexpr int kBias = 2 * kMost, kV = kBias + 2, kC = kV + 2;

template <typename T, int kColumns>
struct FusionTerm {
  static constexpr int kSums = kC + 1, kWidth = kColumns, kFewBlocks = 2;
  Fusion<T> f;
  const T* dy;
  T* dx[2][kMost];
  Columns<kWidth> columns = {};

  __device__ void begin(int64_t column) { columns.load(f, column); }

  // What comes down to the groups of one row, and its part in the sums of v and c.
  __device__ void upstream(const Sums<kWidth, T>& sums_of, int64_t row, int64_t column, float (&sums)[kSums][kWidth],
                           float (&down)[2][kWidth]) const {
    if (f.c == nullptr) {
#pragma unroll
      for (int g = 0; g < 2; ++g) {
        const Pack<T, kWidth> above = load_pack<kWidth>(dy + (2 * row + g) * f.d + column);
#pragma unroll
        for (int k = 0; k < kWidth; ++k) down[g][k] = to_float(above.at[k]);
      }
      return;
    }
    const Pack<T, kWidth> above = load_pack<kWidth>(dy + row * f.d + column);
#pragma unroll
    for (int k = 0; k < kWidth; ++k) {
      const float u = f.relu && !(sums_of.joint(columns, k) > 0.0f) ? 0.0f : to_float(above.at[k]);
      sums[kC][k] += u;
#pragma unroll
      for (int g = 0; g < 2; ++g) {
        sums[kV + g][k] += u * sums_of.group[g][k];
        down[g][k] = u * columns.v[g].at[k];
      }
    }
  }

  __device__ void add(int64_t row, int64_t column, float (&sums)[kSums][kWidth]) {
    const Sums<kWidth, T> here(f, columns, row * f.d + column);
    float down[2][kWidth];
    upstream(here, row, column, sums, down);
#pragma unroll
    for (int g = 0; g < 2; ++g) {
#pragma unroll
      for (int k = 0; k < kWidth; ++k) {
        if (f.relu && !(here.group[g][k] > 0.0f)) down[g][k] = 0.0f;
        sums[kBias + g][k] += down[g][k];
      }
#pragma unroll
      for (int i = 0; i < kMost; ++i) {
        if (f.x[g][i] == nullptr) continue;
        Pack<T, kWidth> to;
#pragma unroll
        for (int k = 0; k < kWidth; ++k) {
          to.at[k] = from_float<T>(down[g][k] * columns.w[g][i].at[k]);
          sums[g * kMost + i][k] += down[g][k] * to_float(here.x[g][i].at[k]);
        }
        store_pack(dx[g][i] + row * f.d + column, to);
      }
    }
  }
};

// ---- on the host ----

template <typename T>
Fusion<T> fusion_of(const std::vector<Tensor>& x, const FusionParameters& p, const FusionSpec& spec) {
  Fusion<T> f = {};
  for (size_t i = 0; i < x.size(); ++i) {
    const bool picture = static_cast<int64_t>(i) >= spec.sound;
    const size_t place = picture ? i - static_cast<size_t>(spec.sound) : i;
    f.x[picture][place] = x[i].data<T>();
    f.w[picture][place] = p.w[i].data<float>();
  }
  for (size_t k = 0; k < 2; ++k) {
    f.bias[k] = p.bias[k].data<float>();
    f.v[k] = spec.join == FusionJoin::Sum ? p.v[k].data<float>() : nullptr;
  }
  f.c = spec.join == FusionJoin::Sum ? p.c.data<float>() : nullptr;
  f.relu = spec.activation == Activation::Relu;
  f.d = x[0].shape()[1];
  return f;
}

template <typename T, int kWidth>
void backward_of(const std::vector<Tensor>& x, const FusionParameters& p, const Tensor& dy, const FusionSpec& spec,
                 FusionGradients& gradients) {
  FusionTerm<T, kWidth> term{};
  term.f = fusion_of<T>(x, p, spec);
  term.dy = dy.data<T>();
  // Sums of places that are not taken, or of a join that is not there, go nowhere: to a spare row each.
  const int64_t d = term.f.d;
  Tensor spare = Tensor::empty({FusionTerm<T, kWidth>::kSums, d}, DType::F32, dy.device());
  ColumnSums<FusionTerm<T, kWidth>::kSums> sums = {};
  for (int q = 0; q < FusionTerm<T, kWidth>::kSums; ++q) sums.to[q] = spare.data<float>() + q * d;
  for (size_t i = 0; i < x.size(); ++i) {
    const bool picture = static_cast<int64_t>(i) >= spec.sound;
    const size_t place = picture ? i - static_cast<size_t>(spec.sound) : i;
    term.dx[picture][place] = gradients.dx[i].data<T>();
    sums.to[static_cast<size_t>(picture) * kMost + place] = gradients.of.w[i].data<float>();
  }
  for (size_t k = 0; k < 2; ++k) {
    sums.to[kBias + k] = gradients.of.bias[k].data<float>();
    if (spec.join == FusionJoin::Sum) sums.to[kV + k] = gradients.of.v[k].data<float>();
  }
  if (spec.join == FusionJoin::Sum) sums.to[kC] = gradients.of.c.data<float>();
  sum_columns("fusion_sums_backward", x[0].shape()[0], d, dy.device(), term, sums);
}

template <typename T, int N>
bool all_pack(const std::vector<Tensor>& tensors, const Tensor& joint) {
  return packs<N>(tensors[0].shape()[1], joint.data<T>()) &&
         std::ranges::all_of(tensors, [](const Tensor& t) { return packs<N>(0, t.data<T>()); });
}

}  // namespace

// ---- entry points ----

void fusion_sums(const std::vector<Tensor>& x, const FusionParameters& parameters, FusionSpec spec, Tensor& y) {
  for_floating("fusion_sums", y.dtype(), [&]<typename T>() {
    const int64_t n = x[0].size();
    const Fusion<T> f = fusion_of<T>(x, parameters, spec);
    const auto run = [&](auto kernel, int width) {
      launch("fusion_sums", kernel, over(blocks_for(n, width), y.device()), y.device(), n, f, y.data<T>());
    };
    all_pack<T, 4>(x, y) ? run(fusion_sums_kernel<4, T>, 4) : run(fusion_sums_kernel<1, T>, 1);
  });
}

void fusion_sums_backward(const std::vector<Tensor>& x, const FusionParameters& parameters, const Tensor& dy,
                          FusionSpec spec, FusionGradients& gradients) {
  for_floating("fusion_sums_backward", dy.dtype(), [&]<typename T>() {
    const bool wide = all_pack<T, 2>(x, dy) && all_pack<T, 2>(gradients.dx, dy);
    wide ? backward_of<T, 2>(x, parameters, dy, spec, gradients)
         : backward_of<T, 1>(x, parameters, dy, spec, gradients);
  });
}

}  // namespace avs::cuda
