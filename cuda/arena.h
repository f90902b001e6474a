// Device memory for tensors: a caching arena over cudaMalloc, which waits for the whole device and so must not be called
// in a step. Blocks are split on the way out (best fit) and joined with their free neighbours on the way back. Work on the
// one compute stream is ordered, so a freed block may be handed out again at once.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "tensor/context.h"

namespace avs::cuda {

class Arena {
 public:
  explicit Arena(Device device) : device_(device) {}

  void* allocate(size_t bytes);  // OutOfMemory names what was asked, what is in use and what to do
  void deallocate(void* data, size_t bytes) noexcept;

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
    bool free;
  };
  using Blocks = std::map<std::byte*, Block>;

  void* take(size_t bytes);        // nullptr: no free block is large enough
  bool add_segment(size_t bytes);  // false: the device is full
  void insert_free(Blocks::iterator block);
  void release() noexcept;

  const Device device_;
  mutable std::mutex mutex_;
  Blocks blocks_;                                                // every block, free or not, by address
  std::map<int, std::set<std::pair<size_t, std::byte*>>> free_;  // free ones by pool and size
  int pool_ = 0, pools_ = 1;
  std::map<std::byte*, size_t> segments_;
  size_t live_ = 0, peak_ = 0, held_ = 0, limit_ = 0;
};

}  // namespace avs::cuda
