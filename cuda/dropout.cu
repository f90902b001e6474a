// Dropout on CUDA: two elements moved per element (8 bytes in f32), and the ten rounds of Philox, some 25 integer
// multiplications and as many exclusive ors for four elements: memory bound on large GPUs, close to compute bound on
// small ones.
#include "cuda/device.cuh"
#include "cuda/types.h"
#include "tensor/ops/dropout.h"
#include "tensor/rng.h"

namespace avs::cuda {
namespace {

constexpr int kWords = 4;  // random words of one counter: the elements of a thread at a time

__device__ inline uint64_t joined(int32_t low, int32_t high) {
  return static_cast<uint64_t>(static_cast<uint32_t>(high)) << 32 | static_cast<uint32_t>(low);
}

template <int N, typename T>
__global__ void __launch_bounds__(kBlock)
    dropout_kernel(int64_t n, float rate, float scale, const int32_t* __restrict__ state, uint32_t on_stream,
                   const T* __restrict__ x, T* __restrict__ y) {
  const uint64_t seed = joined(state[0], state[1]), counter_high = (joined(state[2], state[3]) << 32) + on_stream;
  const auto dropped = [&](T value, uint32_t bits) {
    return from_float<T>(to_unit_float(bits) < rate ? 0.0f : to_float(value) * scale);
  };
  for (int64_t i = first_item(); i * kWords < n; i += item_stride()) {
    const auto words = philox(seed, counter_high, static_cast<uint64_t>(i));
    const int64_t at = i * kWords;
    if (N == kWords && at + kWords <= n) {
      const Pack<T, kWords> in = load_pack<kWords>(x + at);
      Pack<T, kWords> out;
#pragma unroll
      for (int k = 0; k < kWords; ++k) out.at[k] = dropped(in.at[k], words[k]);
      store_pack(y + at, out);
    } else {
#pragma unroll
      for (int k = 0; k < kWords; ++k)
        if (at + k < n) y[at + k] = dropped(x[at + k], words[k]);
    }
  }
}

}  // namespace

void dropout(const Tensor& x, float rate, const Tensor& state, uint32_t stream, Tensor& y) {
  const float scale = 1.0f / (1.0f - rate);
  for_floating("dropout", x.dtype(), [&]<typename T>() {
    const auto run = [&](auto kernel) {
      launch("dropout", kernel, over(blocks_for(x.size(), kWords), x.device()), x.device(), x.size(), rate, scale,
             state.data<int32_t>(), stream, x.data<T>(), y.data<T>());
    };
    packs<kWords>(0, x.data<T>(), y.data<T>()) ? run(dropout_kernel<kWords, T>) : run(dropout_kernel<1, T>);
  });
}

}  // namespace avs::cuda
