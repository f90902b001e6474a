// Shared by kernels: element types as floats, vector loads, sums over a warp and a block, the grid-stride loop.
#pragma once

#include "cuda/runtime.h"
#include "tensor/dtype.h"

#ifndef AVS_EMULATED_CUDA
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

namespace avs::cuda {

// Min blocks per multiprocessor for __launch_bounds__, for kernels in which ptxas otherwise plans for so many blocks on
// sm_120 that it spills. On other architectures 0: ptxas decides.
constexpr int on_sm_120([[maybe_unused]] int blocks) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1200
  return blocks;
#else
  return 0;
#endif
}

// ---- elements: kernels compute in f32 whatever the tensor holds ----

__device__ inline float to_float(float x) { return x; }
__device__ inline float to_float(uint8_t x) { return static_cast<float>(x); }
__device__ inline float to_float(int32_t x) { return static_cast<float>(x); }
template <typename T>
__device__ inline T from_float(float x);
template <>
__device__ inline float from_float<float>(float x) {
  return x;
}

#ifdef AVS_EMULATED_CUDA
inline float to_float(bf16 x) { return static_cast<float>(x); }
inline float to_float(f16 x) { return static_cast<float>(x); }
template <>
inline bf16 from_float<bf16>(float x) {
  return bf16(x);
}
template <>
inline f16 from_float<f16>(float x) {
  return f16(x);
}
#else
__device__ inline float to_float(bf16 x) { return __uint_as_float(static_cast<uint32_t>(x.bits) << 16); }
__device__ inline float to_float(f16 x) { return __half2float(__ushort_as_half(x.bits)); }
template <>
__device__ inline bf16 from_float<bf16>(float x) {
  bf16 y;
  y.bits = __bfloat16_as_ushort(__float2bfloat16_rn(x));
  return y;
}
template <>
__device__ inline f16 from_float<f16>(float x) {
  f16 y;
  y.bits = __half_as_ushort(__float2half_rn(x));
  return y;
}
#endif

// ---- vectors: N elements in one load, if the address is a multiple of their size ----

template <typename T, int N>
struct alignas(sizeof(T) * N) Pack {
  T at[N];
};
template <int N, typename T>
__device__ inline Pack<T, N> load_pack(const T* from) {
  return *reinterpret_cast<const Pack<T, N>*>(from);
}
template <int N, typename T>
__device__ inline void store_pack(T* to, const Pack<T, N>& pack) {
  *reinterpret_cast<Pack<T, N>*>(to) = pack;
}
// Returns whether rows of c elements of these tensors can be loaded N at a time; if not, the scalar kernel runs.
template <int N, typename... Pointers>
bool packs(int64_t c, const Pointers*... data) {
  return c % N == 0 && ((reinterpret_cast<uintptr_t>(data) % (sizeof(Pointers) * N) == 0) && ...);
}

// ---- the grid-stride loop: for (int64_t i = first_item(); i < n; i += item_stride()) ----

__device__ inline int64_t first_item() { return int64_t{blockIdx.x} * blockDim.x + threadIdx.x; }
__device__ inline int64_t item_stride() { return int64_t{gridDim.x} * blockDim.x; }

// ---- sums, always in the same order ----

constexpr unsigned kFullWarp = 0xffffffffu;

template <typename T>
__device__ inline T warp_sum(T x) {  // every lane gets the sum
  for (int lanes = 16; lanes > 0; lanes /= 2) x += __shfl_xor_sync(kFullWarp, x, lanes);
  return x;
}
__device__ inline float warp_max(float x) {
  for (int lanes = 16; lanes > 0; lanes /= 2) x = fmaxf(x, __shfl_xor_sync(kFullWarp, x, lanes));
  return x;
}
// Every thread gets the sum. The block consists of whole warps. Ends with a barrier, so that it can be called again at
// once.
template <typename T>
__device__ inline T block_sum(T x) {
  __shared__ T partial[32];
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  x = warp_sum(x);
  if (lane == 0) partial[warp] = x;
  __syncthreads();
  T sum = partial[0];
  for (int w = 1; w < static_cast<int>(blockDim.x) / 32; ++w) sum += partial[w];
  __syncthreads();
  return sum;
}

// Adds each of M values over threadIdx.y, in a block of at most kBlock threads; the threads with threadIdx.y = 0 get
// the sums. Ends with a barrier.
template <int M>
__device__ inline void sum_down(float (&values)[M]) {
  __shared__ float parts[M][kBlock];
  const int across = static_cast<int>(blockDim.x), y = static_cast<int>(threadIdx.y);
  const int at = y * across + static_cast<int>(threadIdx.x);
#pragma unroll
  for (int i = 0; i < M; ++i) parts[i][at] = values[i];
  __syncthreads();
  for (int height = static_cast<int>(blockDim.y); height > 1;) {
    const int half = (height + 1) / 2;
    if (y + half < height) {
#pragma unroll
      for (int i = 0; i < M; ++i) parts[i][at] = values[i] += parts[i][at + half * across];
    }
    __syncthreads();
    height = half;
  }
}

// ---- dynamic shared memory, aligned for WMMA ----

#ifdef AVS_EMULATED_CUDA
template <typename T>
T* dynamic_shared() {
  return static_cast<T*>(emulation::dynamic_shared());
}
#else
template <typename T>
__device__ inline T* dynamic_shared() {
  extern __shared__ __align__(128) unsigned char avs_dynamic_shared[];
  return reinterpret_cast<T*>(avs_dynamic_shared);
}
#endif
// Writes the largest dynamic shared memory of the kernel's launches as a remark into the PTX. Occupancy depends on it,
// but the kernel's code does not contain it; ./run cuda_report reads the remark.
template <int kBytes>
__device__ inline void note_dynamic_shared() {
#ifndef AVS_EMULATED_CUDA
  asm("// dynamic shared memory: %0" ::"n"(kBytes));
#endif
}

}  // namespace avs::cuda
