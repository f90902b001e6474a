// Channel scaling on CUDA: memory bound, two elements moved per element, three with a residual, and three backward,
// which writes dx and sums dgain in one pass (8 and 12 bytes in f32).
#include "cuda/column_sum.cuh"
#include "cuda/elementwise.cuh"
#include "cuda/types.h"
#include "tensor/ops/scale_channels.h"

namespace avs::cuda {
namespace {

struct Scale {
  static constexpr int kParameters = 1;
  __device__ float operator()(const float* gain, float x) const { return gain[0] * x; }
  __device__ float operator()(const float* gain, float x, float residual) const { return residual + gain[0] * x; }
};

template <typename T, int kColumns>
struct GainTerm {
  static constexpr int kSums = 1, kWidth = kColumns;
  const T *x, *dy;
  const float* gain;
  T* dx;
  int64_t c;
  Pack<float, kWidth> gains = {};

  __device__ void begin(int64_t column) { gains = load_channels<kWidth>(gain, column, c); }
  __device__ void add(int64_t row, int64_t column, float (&sums)[kSums][kWidth]) {
    const int64_t at = row * c + column;
    const Pack<T, kWidth> in = load_pack<kWidth>(x + at), upstream = load_pack<kWidth>(dy + at);
    Pack<T, kWidth> out;
#pragma unroll
    for (int k = 0; k < kWidth; ++k) {
      const float g = to_float(upstream.at[k]);
      out.at[k] = from_float<T>(gains.at[k] * g);
      sums[0][k] += g * to_float(in.at[k]);
    }
    store_pack(dx + at, out);
  }
};

}  // namespace

void scale_channels(const Tensor& x, const Tensor& gain, Tensor& y) {
  for_floating("scale_channels", x.dtype(), [&]<typename T>() {
    map_channels("scale_channels", x.size(), gain.size(), x.device(), Scale{}, {{gain.data<float>()}}, y.data<T>(),
                 x.data<T>());
  });
}

void scale_residual(const Tensor& x, const Tensor& gain, const Tensor& residual, Tensor& y) {
  for_floating("scale_residual", x.dtype(), [&]<typename T>() {
    map_channels("scale_residual", x.size(), gain.size(), x.device(), Scale{}, {{gain.data<float>()}}, y.data<T>(),
                 x.data<T>(), residual.data<T>());
  });
}

void scale_channels_backward(const Tensor& x, const Tensor& gain, const Tensor& dy, ScaleChannelsGradients& gradients) {
  const int64_t c = gain.size(), rows = x.size() / c;
  for_floating("scale_channels_backward", x.dtype(), [&]<typename T>() {
    const T *const from = x.data<T>(), *const upstream = dy.data<T>();
    T* const dx = gradients.dx.data<T>();
    const auto run = [&](auto term) {
      sum_columns("scale_channels_backward", rows, c, x.device(), term, {{gradients.dgain.data<float>()}});
    };
    const float* const gains = gain.data<float>();
    packs<4>(c, from, upstream, dx) ? run(GainTerm<T, 4>{from, upstream, gains, dx, c})
                                    : run(GainTerm<T, 1>{from, upstream, gains, dx, c});
  });
}

}  // namespace avs::cuda
