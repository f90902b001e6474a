// y[i] = map(x0[i], x1[i], …), computed in f32 whatever the tensors hold: one kernel for every op of that form. Memory
// bound. Elements are read and written 16 bytes at a time where the addresses allow it, with a scalar tail. y may be
// one of the x: a thread reads its elements before it writes them.
//
// A map is a device functor that is copied into each thread: struct { float a; __device__ float operator()(float x)
// const; }
#pragma once

#include <algorithm>

#include "cuda/device.cuh"

namespace avs::cuda {

template <int N, typename To, typename Map, typename... From>
__device__ inline Pack<To, N> mapped(const Map& map, const Pack<From, N>&... x) {
  Pack<To, N> y;
#pragma unroll
  for (int k = 0; k < N; ++k) y.at[k] = from_float<To>(map(to_float(x.at[k])...));
  return y;
}

template <int N, typename To, typename Map, typename... From>
__global__ void __launch_bounds__(kBlock) map_kernel(int64_t n, Map map, To* y, const From*... x) {
  const int64_t packs = n / N;
  for (int64_t i = first_item(); i < packs; i += item_stride())
    store_pack(y + i * N, mapped<N, To>(map, load_pack<N>(x + i * N)...));
  if constexpr (N > 1)
    for (int64_t i = packs * N + first_item(); i < n; i += item_stride()) y[i] = from_float<To>(map(to_float(x[i])...));
}

template <typename To, typename Map, typename... From>
void map_elements(const char* name, int64_t n, Device device, const Map& map, To* y, const From*... x) {
  constexpr int N = static_cast<int>(16 / std::max({sizeof(To), sizeof(From)...}));
  if (packs<N>(0, y, x...))
    launch(name, map_kernel<N, To, Map, From...>, over(blocks_for(n, N), device), device, n, map, y, x...);
  else
    launch(name, map_kernel<1, To, Map, From...>, over(n, device), device, n, map, y, x...);
}

}  // namespace avs::cuda
