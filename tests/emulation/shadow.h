// The state of every byte that a kernel may access: whether it belongs to a tensor, whether it was written, and by whom
// it was accessed last, so that two unordered accesses are found as a race whatever the order they ran in.
//
// Ordered are: accesses of one thread; accesses of one block on the two sides of a __syncthreads(); accesses of lanes
// of one warp on the two sides of a __syncwarp() or shuffle that names both (a vector clock per lane); different
// launches on one stream, and on two streams with an event between them (order.h). All other accesses to the same
// bytes, one of them a write, are races, unless both are atomic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace avs::emulation {

enum class Access : uint8_t { Read, Write, Atomic };

struct
    // the accessing thread (launch: of order.h), and the time: its barrier interval in the block, its clock in the warp
    Stamp {
  uint32_t launch = 0, block = 0;
  uint16_t thread = 0;
  bool atomic = false;
  uint32_t interval = 0, clock = 0;
};

// Is `earlier`, by another thread of the same launch, ordered before the running thread's current access? See
// machine.cpp.
bool ordered_before_now(const Stamp& earlier);

// AVS_EMULATION_DRY=1: kernels and large copies do nothing and memory is only addresses, so that allocations of whole
// networks can be measured. The host reads back what it wrote or cleared last, else zeros.
bool dry();

// ---- device memory: one reservation; blocks with gaps between them ----
namespace heap {
void* allocate(size_t bytes);  // nullptr: the device is full
bool release(void* data);      // returns false if it is not a block
bool contains(const void* address);
size_t total_bytes();
size_t free_bytes();
bool is_live(const void* data, size_t bytes);
// Only these bytes of a block may be accessed; they begin as NaN.
void mark_live(void* data, size_t bytes, size_t block_bytes);
void mark_dead(void* data, size_t bytes);
// an access by a copy; Finding if unordered work on another stream accesses it too
void touch(const void* data, size_t bytes, Access access);
}  // namespace heap

// ---- shared memory: a block's static variables and its dynamic buffer ----
namespace shared {
void begin_block(size_t dynamic_bytes);  // forgets what was written
bool contains(const void* address);
void* dynamic();
}  // namespace shared

// Returns the fault of this access, or nothing. `now` is the running thread's stamp.
std::optional<std::string> check(const void* address, size_t bytes, Access access, const Stamp& now);

}  // namespace avs::emulation
