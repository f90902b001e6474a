// y[i] = map(x0[i], x1[i], …), also with parameters per channel, computed in f32 for every element type. One kernel
// serves all ops of either form. Memory bound. Elements are loaded and stored 16 bytes at a time if the addresses allow
// it, with a scalar tail. y may be one of the x: a thread reads its elements before it writes them.
//
// A map is a device functor that is copied into each thread:
//   struct { float a; __device__ float operator()(float x) const; }
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

// ---- parameters per channel: y[i] = map(p, x0[i], x1[i], …), p[j] = parameter j of channel i % c, f32 [c] ----
// Such a map is
//   struct { static constexpr int kParameters = 2; __device__ float operator()(const float* p, float x) const; }

template <int kParameters>
struct ChannelParameters {
  const float* at[kParameters];
};

// Loads the parameters of N channels from `channel` on; channel c is channel 0 again. One vector load if the address
// allows.
template <int N>
__device__ inline Pack<float, N> load_channels(const float* p, int64_t channel, int64_t c) {
  if (N > 1 && c % N == 0 && reinterpret_cast<uintptr_t>(p) % sizeof(Pack<float, N>) == 0)
    return load_pack<N>(p + channel);
  Pack<float, N> pack;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    pack.at[k] = p[channel];
    if (++channel == c) channel = 0;
  }
  return pack;
}

template <int N, typename To, typename Map, typename... From>
__device__ inline Pack<To, N> mapped_channels(const Map& map, const ChannelParameters<Map::kParameters>& parameters,
                                              int64_t channel, int64_t c, const Pack<From, N>&... x) {
  Pack<float, N> p[Map::kParameters];
#pragma unroll
  for (int j = 0; j < Map::kParameters; ++j) p[j] = load_channels<N>(parameters.at[j], channel, c);
  Pack<To, N> y;
#pragma unroll
  for (int k = 0; k < N; ++k) {
    float channel_parameters[Map::kParameters];
#pragma unroll
    for (int j = 0; j < Map::kParameters; ++j) channel_parameters[j] = p[j].at[k];
    y.at[k] = from_float<To>(map(channel_parameters, to_float(x.at[k])...));
  }
  return y;
}

template <int N, typename To, typename Map, typename... From>
__global__ void __launch_bounds__(kBlock)
    map_channels_kernel(int64_t n, int64_t c, Map map, ChannelParameters<Map::kParameters> parameters, To* y,
                        const From*... x) {
  const int64_t packs = n / N, step = item_stride() * N % c;  // one division here, none in the loop
  int64_t channel = first_item() * N % c;
  for (int64_t i = first_item(); i < packs; i += item_stride()) {
    store_pack(y + i * N, mapped_channels<N, To>(map, parameters, channel, c, load_pack<N>(x + i * N)...));
    channel += step;
    if (channel >= c) channel -= c;
  }
  if constexpr (N > 1)
    for (int64_t i = packs * N + first_item(); i < n; i += item_stride())
      store_pack(y + i, mapped_channels<1, To>(map, parameters, i % c, c, load_pack<1>(x + i)...));
}

template <typename To, typename Map, typename... From>
void map_channels(const char* name, int64_t n, int64_t c, Device device, const Map& map,
                  const ChannelParameters<Map::kParameters>& parameters, To* y, const From*... x) {
  constexpr int N = 4;  // the same for all types: eight parameters at a time would need too many registers
  if (packs<N>(0, y, x...))
    launch(name, map_channels_kernel<N, To, Map, From...>, over(blocks_for(n, N), device), device, n, c, map,
           parameters, y, x...);
  else
    launch(name, map_channels_kernel<1, To, Map, From...>, over(n, device), device, n, c, map, parameters, y, x...);
}

}  // namespace avs::cuda
