// One CUDA block on one host thread: every thread of the block is a fiber, fibers wait for each other at barriers and
// warp primitives, and blocks run one after the other. Kernels are compiled unchanged (include/cuda_runtime.h) with the
// compiler's instrumentation of memory accesses (-fsanitize=thread,alignment,bounds,signed-integer-overflow, without
// those runtimes): hooks.cpp receives each access and shadow.h checks it.
//
// A finding (a race, an access outside a tensor, a barrier that some threads miss, …) stops the kernel; launch() throws
// Finding, whose text names kernel, source line, block and thread.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "tensor/error.h"

struct uint3;
struct dim3;

namespace avs::emulation {

struct Finding : DeviceError {
  using DeviceError::DeviceError;
};

struct Extent {
  unsigned x = 1, y = 1, z = 1;
  uint64_t count() const { return uint64_t{x} * y * z; }
};
struct Index {  // the values of threadIdx, blockIdx, blockDim and gridDim
  Extent thread, block, block_extent, grid_extent;
};

// A kernel launch: call(parameters) runs one thread.
struct Launch {
  std::string kernel;
  Extent grid, block;
  size_t shared_bytes = 0;  // dynamic shared memory
  void (*call)(const void* parameters) = nullptr;
  std::shared_ptr<const void> parameters = {};
  size_t parameter_bytes = 0;
};
void run(const Launch& launch);  // throws Finding

// The order in which ready threads of a block, and blocks of a grid, run. A kernel's result must not depend on it.
enum class Order : uint8_t { Forward, Reverse, Shuffled };
// the default comes from AVS_EMULATION_ORDER=forward|reverse|shuffled:SEED
void set_order(Order order, uint64_t seed = 0);

// ---- called by cuda/ ----

struct Stream;
void launch_on(Stream* stream, Launch launch);  // runs it, or records it while the stream captures
// Marks a tensor in a block of block_bytes: only [data, data + bytes) may be accessed, and it begins as NaN.
void mark_live(void* data, size_t bytes, size_t block_bytes);
void mark_dead(void* data, size_t bytes);

// ---- called by kernels, through include/cuda_runtime.h ----

const Index& index();
void* dynamic_shared();  // 16-byte aligned
void block_barrier(const char* file, int line);
void warp_barrier(uint32_t mask, const char* file, int line);
enum class Shuffle : uint8_t { Index, Up, Down, Xor };
uint64_t shuffle_bits(uint32_t mask, uint64_t value, Shuffle kind, int argument, int width, const char* file, int line);
uint32_t ballot(uint32_t mask, bool predicate, const char* file, int line);
// All lanes of the warp deposit `bytes` from `data`; returns the 32 deposits by lane, valid until the next collective.
const std::byte* gather(const void* data, size_t bytes, const char* file, int line);
void atomic_access(const void* at, size_t bytes);
void broken_rule(const char* what, const char* file, int line);  // reports a finding: does not return

template <typename T>
T shuffle(uint32_t mask, T value, Shuffle kind, int argument, int width, const char* file, int line) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  const uint64_t bits = shuffle_bits(mask, std::bit_cast<Bits>(value), kind, argument, width, file, line);
  return std::bit_cast<T>(static_cast<Bits>(bits));
}
constexpr uint32_t mask_of(uint32_t mask = 0xffffffffu) { return mask; }
constexpr int width_of(int width = 32) { return width; }

// Accesses without instrumentation: atomic_access() reports the atomic access.
template <typename T, typename F>
[[gnu::no_sanitize("thread")]] T exchange(T* at, F update) {
  T old;
  __builtin_memcpy(&old, at, sizeof(T));
  const T now = update(old);
  __builtin_memcpy(at, &now, sizeof(T));
  return old;
}

}  // namespace avs::emulation
