// Device memory for tensors: a caching arena over cudaMalloc, which waits for the whole device and so must not be called
// in a step. Blocks are split on the way out (best fit) and joined with their free neighbours on the way back. Work on the
// one compute stream is ordered, so a block that goes back may be handed out again at once. Work on lanes (tensor/lanes.h)
// is not: while they are open, a block that goes back may be taken at once only by the lane that took it since then, if
// it is that lane which gives it back; every other waits until they are closed.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "tensor/context.h"

namespace avs::cuda {

constexpr int kNoLane = -1;  // lanes count from 0

class Arena {
 public:
  explicit Arena(Device device) : device_(device) {}

  // OutOfMemory names what was asked, what is in use and what to do. `lane`: where the asking thread is.
  void* allocate(size_t bytes, int lane = kNoLane);
  void deallocate(void* data, size_t bytes, int lane = kNoLane) noexcept;
  void open_lanes();
  void close_lanes() noexcept;

  static size_t taken_bytes(size_t bytes);  // the size of a block for so many

  MemoryStats stats() const;
  void set_limit(size_t bytes);
  void reset_peak();
  void release_cached() noexcept;  // segments without a live block go back to the driver

  // Pools (cuda/pools.h): 0 is everybody's. use_pool returns the one before.
  int new_pool();
  int use_pool(int pool);
  void release_pool(int pool);

 private:
  struct Block {
    size_t bytes;
    std::byte* segment;  // the cudaMalloc that it is part of: neighbours of different segments do not join
    int pool;            // nor do those of different pools
    int64_t owner;       // a lane of one fork, which alone may take it while that is open; 0: anybody
    bool free;
  };
  using Blocks = std::map<std::byte*, Block>;

  int64_t owner_of(int lane) const { return open_ && lane != kNoLane ? (forks_ << 8) + lane : 0; }
  void* take(size_t bytes, int64_t owner);  // nullptr: no free block is large enough
  void* take_from(int64_t home, size_t bytes, int64_t owner);
  bool add_segment(size_t bytes);  // false: the device is full
  void insert_free(Blocks::iterator block);
  void release() noexcept;

  const Device device_;
  mutable std::mutex mutex_;
  Blocks blocks_;  // every block, free or not, by address
  using BySize = std::set<std::pair<size_t, std::byte*>>;
  std::map<std::pair<int, int64_t>, BySize> free_;  // free ones by pool and owner
  std::vector<std::byte*> waiting_;                 // given back while lanes are open
  bool open_ = false;
  int64_t forks_ = 0;
  int pool_ = 0, pools_ = 1;
  std::map<std::byte*, size_t> segments_;
  size_t live_ = 0, peak_ = 0, held_ = 0, limit_ = 0;
};

}  // namespace avs::cuda
