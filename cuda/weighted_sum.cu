// The fusion sum on CUDA: memory bound, one element of each x and one of y moved per element; backward two of each x,
// one of dy and one of y. The kernel's parameters hold the pointers to the inputs; further launches add inputs that do
// not fit.
#include "cuda/column_sum.cuh"
#include "cuda/elementwise.cuh"
#include "cuda/types.h"
#include "tensor/ops/weighted_sum.h"

namespace avs::cuda {
namespace {

// ---- forward ----

constexpr int kMaxInputs = 8;

template <typename T>
struct Inputs {
  int count;
  const T* x[kMaxInputs];
  const float* w[kMaxInputs];
};

// Computes the pack of y at `at`, in `channel`. The sum starts from the bias, or from y's current value.
template <int N, bool kFirst, typename T>
__device__ inline void sum_pack(const Inputs<T>& inputs, const float* bias, Activation activation, int64_t at,
                                int64_t channel, int64_t d, T* y) {
  Pack<float, N> sum;
  if constexpr (kFirst) {
    sum = load_channels<N>(bias, channel, d);
  } else {
    const Pack<T, N> before = load_pack<N>(y + at);
#pragma unroll
    for (int k = 0; k < N; ++k) sum.at[k] = to_float(before.at[k]);
  }
  for (int i = 0; i < inputs.count; ++i) {
    const Pack<T, N> x = load_pack<N>(inputs.x[i] + at);
    const Pack<float, N> w = load_channels<N>(inputs.w[i], channel, d);
#pragma unroll
    for (int k = 0; k < N; ++k) sum.at[k] += w.at[k] * to_float(x.at[k]);
  }
  Pack<T, N> out;
#pragma unroll
  for (int k = 0; k < N; ++k)
    out.at[k] = from_float<T>(activation == Activation::Relu && sum.at[k] < 0.0f ? 0.0f : sum.at[k]);
  store_pack(y + at, out);
}

template <int N, bool kFirst, typename T>
__global__ void __launch_bounds__(kBlock)
    weighted_sum_kernel(int64_t n, int64_t d, __grid_constant__ const Inputs<T> inputs, const float* __restrict__ bias,
                        Activation activation, T* y) {
  const int64_t packs = n / N, step = item_stride() * N % d;
  int64_t channel = first_item() * N % d;
  for (int64_t i = first_item(); i < packs; i += item_stride()) {
    sum_pack<N, kFirst>(inputs, bias, activation, i * N, channel, d, y);
    channel += step;
    if (channel >= d) channel -= d;
  }
  if constexpr (N > 1)
    for (int64_t i = packs * N + first_item(); i < n; i += item_stride())
      sum_pack<1, kFirst>(inputs, bias, activation, i, i % d, d, y);
}

template <typename T>
bool aligned(const std::vector<Tensor>& tensors) {
  return std::ranges::all_of(tensors, [](const Tensor& t) { return packs<4>(0, t.data<T>()); });
}

// ---- backward ----

// One launch computes dx and dw of kInputs inputs, and dbias, which is the same in every launch.
template <typename T, int kInputs, int kColumns>
struct GradientTerm {
  static constexpr int kSums = kInputs + 1, kWidth = kColumns;
  const T* x[kInputs];
  T* dx[kInputs];
  const float* w[kInputs];
  const T *dy, *y;  // y: the sign is the ReLU's mask; null without a ReLU
  int64_t d;
  Pack<float, kWidth> weights[kInputs] = {};

  __device__ void begin(int64_t column) {
#pragma unroll
    for (int i = 0; i < kInputs; ++i) weights[i] = load_channels<kWidth>(w[i], column, d);
  }
  __device__ void add(int64_t row, int64_t column, float (&sums)[kSums][kWidth]) {
    const int64_t at = row * d + column;
    const Pack<T, kWidth> upstream = load_pack<kWidth>(dy + at);
    float g[kWidth];
#pragma unroll
    for (int k = 0; k < kWidth; ++k) g[k] = to_float(upstream.at[k]);
    if (y != nullptr) {
      const Pack<T, kWidth> out = load_pack<kWidth>(y + at);
#pragma unroll
      for (int k = 0; k < kWidth; ++k) g[k] = to_float(out.at[k]) > 0.0f ? g[k] : 0.0f;
    }
#pragma unroll
    for (int k = 0; k < kWidth; ++k) sums[kInputs][k] += g[k];
#pragma unroll
    for (int i = 0; i < kInputs; ++i) {
      const Pack<T, kWidth> in = load_pack<kWidth>(x[i] + at);
      Pack<T, kWidth> to;
#pragma unroll
      for (int k = 0; k < kWidth; ++k) {
        to.at[k] = from_float<T>(g[k] * weights[i].at[k]);
        sums[i][k] += g[k] * to_float(in.at[k]);
      }
      store_pack(dx[i] + at, to);
    }
  }
};

template <typename T, int kInputs, int kColumns>
void gradients_of(size_t first, const std::vector<Tensor>& x, const std::vector<Tensor>& w, const T* y,
                  const Tensor& dy, WeightedSumGradients& gradients) {
  const int64_t d = dy.shape()[-1];
  GradientTerm<T, kInputs, kColumns> term{};
  ColumnSums<kInputs + 1> sums = {};
  for (size_t i = 0; i < kInputs; ++i) {
    term.x[i] = x[first + i].data<T>();
    term.dx[i] = gradients.dx[first + i].data<T>();
    term.w[i] = w[first + i].data<float>();
    sums.to[i] = gradients.dw[first + i].data<float>();
  }
  sums.to[kInputs] = gradients.dbias.data<float>();
  term.dy = dy.data<T>();
  term.y = y;
  term.d = d;
  sum_columns("weighted_sum_backward", dy.size() / d, d, dy.device(), term, sums);
}

template <typename T, int kColumns>
void all_gradients(const std::vector<Tensor>& x, const std::vector<Tensor>& w, const T* y, const Tensor& dy,
                   WeightedSumGradients& gradients) {
  for (size_t first = 0; first < x.size();) {
    const size_t left = x.size() - first;
    if (left >= 4) {
      gradients_of<T, 4, kColumns>(first, x, w, y, dy, gradients);
      first += 4;
    } else if (left >= 2) {
      gradients_of<T, 2, kColumns>(first, x, w, y, dy, gradients);
      first += 2;
    } else {
      gradients_of<T, 1, kColumns>(first, x, w, y, dy, gradients);
      first += 1;
    }
  }
}

}  // namespace

// ---- entry points ----

void weighted_sum(const std::vector<Tensor>& x, const std::vector<Tensor>& w, const Tensor& bias, Activation activation,
                  Tensor& y) {
  const int64_t n = y.size(), d = y.shape()[-1];
  for_floating("weighted_sum", y.dtype(), [&]<typename T>() {
    const bool wide = packs<4>(0, y.data<T>()) && aligned<T>(x);
    for (size_t first = 0; first < x.size(); first += kMaxInputs) {
      Inputs<T> inputs = {};
      inputs.count = static_cast<int>(std::min<size_t>(kMaxInputs, x.size() - first));
      for (size_t i = 0; i < static_cast<size_t>(inputs.count); ++i) {
        inputs.x[i] = x[first + i].data<T>();
        inputs.w[i] = w[first + i].data<float>();
      }
      const Activation last = first + kMaxInputs >= x.size() ? activation : Activation::None;
      const auto run = [&](auto kernel, int width) {
        launch("weighted_sum", kernel, over(blocks_for(n, width), y.device()), y.device(), n, d, inputs,
               bias.data<float>(), last, y.data<T>());
      };
      if (first == 0)
        wide ? run(weighted_sum_kernel<4, true, T>, 4) : run(weighted_sum_kernel<1, true, T>, 1);
      else
        wide ? run(weighted_sum_kernel<4, false, T>, 4) : run(weighted_sum_kernel<1, false, T>, 1);
    }
  });
}

void weighted_sum_backward(const std::vector<Tensor>& x, const std::vector<Tensor>& w, const Tensor& y,
                           const Tensor& dy, Activation activation, WeightedSumGradients& gradients) {
  for_floating("weighted_sum_backward", dy.dtype(), [&]<typename T>() {
    const T* const out = activation == Activation::Relu ? y.data<T>() : nullptr;
    const bool wide = packs<4>(dy.shape()[-1], dy.data<T>(), out == nullptr ? dy.data<T>() : out) && aligned<T>(x) &&
                      aligned<T>(gradients.dx);
    wide ? all_gradients<T, 4>(x, w, out, dy, gradients) : all_gradients<T, 1>(x, w, out, dy, gradients);
  });
}

}  // namespace avs::cuda
