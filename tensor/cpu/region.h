// One large reservation of address space that allocates blocks: best fit, split on allocation, joined with free
// neighbours when freed.
//
// A training step allocates the same sizes in the same order every time, but many different sizes: one free list per
// size would hold every size's peak at once (measured: 2.5 times the live peak on the residual-inception network). One
// address space in which free neighbours join holds little more than the live peak.
//
// A free block is either cached (its pages are resident) or fresh (never touched, or returned to the system). Cached
// blocks are preferred: the first touch of fresh pages is slow.
#pragma once

#include <cstddef>
#include <map>
#include <set>

#include "tensor/no_copy.h"

namespace avs::cpu {

class Region : NoCopy {
 public:
  static constexpr size_t kGranule = 4096;  // blocks are whole pages, so that the system can take back free ones

  explicit Region(size_t bytes);  // reserves addresses only. capacity() is 0 if the system refuses
  ~Region();

  // bytes must be a multiple of kGranule. Returns nullptr if no free block is large enough; allocate_cached() considers
  // cached blocks only.
  void* allocate(size_t bytes);
  void* allocate_cached(size_t bytes);
  // Both work even when the system has no memory left.
  void deallocate(void* data, size_t bytes) noexcept;  // bytes as allocated
  void release_cached() noexcept;                      // returns the pages of free blocks to the system

  size_t capacity() const { return capacity_; }
  size_t cached_bytes() const { return cached_bytes_; }

 private:
  enum class State { Cached, Fresh };
  struct Block {
    size_t bytes;
    State state;
  };
  using Free = std::map<std::byte*, Block>;  // ordered by address, to find neighbours
  using BySize = std::set<std::pair<size_t, std::byte*>>;

  void insert(std::byte* at, Block block);
  void erase(Free::iterator block);
  void* take(Free::iterator block, size_t bytes);
  Free::iterator best_fit(State state, size_t bytes);
  BySize& by_size(State state) { return state == State::Cached ? cached_ : fresh_; }

  std::byte* base_ = nullptr;
  size_t capacity_ = 0, cached_bytes_ = 0;
  Free free_;
  BySize cached_, fresh_;
};

}  // namespace avs::cpu
