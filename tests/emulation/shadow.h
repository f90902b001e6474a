// What the emulation knows of every byte that a kernel may touch: whether it belongs to a tensor, whether it was written,
// and who touched it last, so that two accesses that nothing orders are seen as a race whatever the order they ran in.
//
// Ordered are: accesses of one thread; accesses of one block on the two sides of a __syncthreads(); accesses of lanes of
// one warp on the two sides of a __syncwarp() or shuffle that names both (a vector clock per lane); different launches on
// one stream, and on two where an event says so (order.h). Everything else that touches the same bytes, one of them writing, is a race, unless both are atomic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace avs::emulation {

enum class Access : uint8_t { Read, Write, Atomic };

struct
    Stamp {  // who (launch: of order.h), and when: the thread's barrier interval in its block, its own clock in its warp
  uint32_t launch = 0, block = 0;
  uint16_t thread = 0;
  bool atomic = false;
  uint32_t interval = 0, clock = 0;
};

// Is `earlier` ordered before what the running thread does now? Same launch, another thread; answered by machine.cpp.
bool ordered_before_now(const Stamp& earlier);

// AVS_EMULATION_DRY=1: kernels and large copies do nothing and memory is addresses only, so that whole networks can be asked
// what they would allocate. What the host reads back is what it last wrote or cleared there, else zeros.
bool dry();

// ---- device memory: one reservation; blocks with gaps between them ----
namespace heap {
void* allocate(size_t bytes);  // nullptr: the device is full
bool release(void* data);      // false: not a block
bool contains(const void* address);
size_t total_bytes();
size_t free_bytes();
bool is_live(const void* data, size_t bytes);
void mark_live(void* data, size_t bytes,
               size_t block_bytes);  // only these bytes of a block may be touched; they begin as NaN
void mark_dead(void* data, size_t bytes);
void touch(const void* data, size_t bytes, Access access);  // by a copy; Finding: other work on another stream does too
}  // namespace heap

// ---- shared memory: a block's static variables and its dynamic buffer ----
namespace shared {
void begin_block(size_t dynamic_bytes);  // forgets what was written
bool contains(const void* address);
void* dynamic();
}  // namespace shared

// What is wrong with this access, or nothing. `now` is the running thread's stamp.
std::optional<std::string> check(const void* address, size_t bytes, Access access, const Stamp& now);

}  // namespace avs::emulation
