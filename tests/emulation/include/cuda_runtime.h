// The part of CUDA that kernels and cuda/'s host code use, for a host compiler. The emulation's include path has it
// before NVIDIA's header, so that every .cu file compiles unchanged. tests/emulation/machine.h implements the device
// functions, tests/emulation/runtime.cpp the host API. An unknown name is a compile error that says what to add.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "tests/emulation/machine.h"

// ---- the language ----

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __grid_constant__
#define __launch_bounds__(...)
// One block runs on one host thread at a time, so its shared memory can be thread-local. The linker puts all of it into
// the program's thread-local segment, by which accesses are recognised.
#define __shared__ static thread_local

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3() = default;
  dim3(unsigned x_, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

#define AVS_EMULATED_VECTOR(type, name, alignment)                 \
  struct alignas(alignment / 2) name##2 {                          \
    type x, y;                                                     \
  };                                                               \
  struct alignas(alignment) name##4 {                              \
    type x, y, z, w;                                               \
  };                                                               \
  inline name##2 make_##name##2(type x, type y) { return {x, y}; } \
  inline name##4 make_##name##4(type x, type y, type z, type w) { return {x, y, z, w}; }
AVS_EMULATED_VECTOR(float, float, 16)
AVS_EMULATED_VECTOR(int, int, 16)
AVS_EMULATED_VECTOR(unsigned, uint, 16)
AVS_EMULATED_VECTOR(unsigned short, ushort, 8)
#undef AVS_EMULATED_VECTOR

#define threadIdx (::avs::emulation::index().thread)
#define blockIdx (::avs::emulation::index().block)
#define blockDim (::avs::emulation::index().block_extent)
#define gridDim (::avs::emulation::index().grid_extent)
constexpr int warpSize = 32;

// ---- barriers, shuffles, votes ----

#define __syncthreads() ::avs::emulation::block_barrier(__FILE__, __LINE__)
#define __syncwarp(...) ::avs::emulation::warp_barrier(::avs::emulation::mask_of(__VA_ARGS__), __FILE__, __LINE__)
#define __shfl_sync(mask, value, lane, ...)                                      \
  ::avs::emulation::shuffle(mask, value, ::avs::emulation::Shuffle::Index, lane, \
                            ::avs::emulation::width_of(__VA_ARGS__), __FILE__, __LINE__)
#define __shfl_down_sync(mask, value, delta, ...)                                \
  ::avs::emulation::shuffle(mask, value, ::avs::emulation::Shuffle::Down, delta, \
                            ::avs::emulation::width_of(__VA_ARGS__), __FILE__, __LINE__)
#define __shfl_up_sync(mask, value, delta, ...)                                \
  ::avs::emulation::shuffle(mask, value, ::avs::emulation::Shuffle::Up, delta, \
                            ::avs::emulation::width_of(__VA_ARGS__), __FILE__, __LINE__)
#define __shfl_xor_sync(mask, value, lanes, ...)                                \
  ::avs::emulation::shuffle(mask, value, ::avs::emulation::Shuffle::Xor, lanes, \
                            ::avs::emulation::width_of(__VA_ARGS__), __FILE__, __LINE__)
#define __ballot_sync(mask, predicate) ::avs::emulation::ballot(mask, (predicate) != 0, __FILE__, __LINE__)
#define __any_sync(mask, predicate) (::avs::emulation::ballot(mask, (predicate) != 0, __FILE__, __LINE__) != 0)
#define __all_sync(mask, predicate) (::avs::emulation::ballot(mask, (predicate) == 0, __FILE__, __LINE__) == 0)

// ---- atomics ----

#define AVS_EMULATED_ATOMIC(name, type, expression)                                                                  \
  inline type name(type* at, type value) {                                                                           \
    ::avs::emulation::atomic_access(at, sizeof(type));                                                               \
    return ::avs::emulation::exchange(at, [&]([[maybe_unused]] type old) { return static_cast<type>(expression); }); \
  }
AVS_EMULATED_ATOMIC(atomicAdd, float, old + value)
AVS_EMULATED_ATOMIC(atomicAdd, double, old + value)
AVS_EMULATED_ATOMIC(atomicAdd, int, old + value)
AVS_EMULATED_ATOMIC(atomicAdd, unsigned, old + value)
AVS_EMULATED_ATOMIC(atomicAdd, unsigned long long, old + value)
AVS_EMULATED_ATOMIC(atomicMin, int, old < value ? old : value)
AVS_EMULATED_ATOMIC(atomicMin, unsigned long long, old < value ? old : value)
AVS_EMULATED_ATOMIC(atomicMax, int, old > value ? old : value)
AVS_EMULATED_ATOMIC(atomicMax, unsigned, old > value ? old : value)
AVS_EMULATED_ATOMIC(atomicExch, int, value)
#undef AVS_EMULATED_ATOMIC
inline void __threadfence() {}
inline void __threadfence_block() {}

// ---- arithmetic ----

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float normcdff(float x) { return 0.5f * std::erfc(-x * 0.70710678118654752f); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((static_cast<unsigned long long>(a) * b) >> 32);
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
template <typename T>
inline T __ldg(const T* at) {
  return *at;
}
template <typename T>
inline T min(T a, T b) {
  return b < a ? b : a;
}
template <typename T>
inline T max(T a, T b) {
  return a < b ? b : a;
}

#include "tests/emulation/include/cuda_runtime_api.h"
