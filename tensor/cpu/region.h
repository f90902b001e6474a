// One large reservation of address space that hands out blocks: best fit, split on the way out, joined with their free
// neighbours on the way back.
//
// A training step asks for the same sizes in the same order again and again, but for many different sizes: lists of
// freed blocks by exact size would hold every size's peak at once (2.5 times the live peak was measured on the
// residual-inception network). One address space in which neighbours join holds little more than the live peak.
//
// Free blocks are either cached (their pages were written and are resident) or fresh (never touched, or given back to
// the system). Cached blocks are preferred: first touch of fresh pages is slow.
#pragma once

#include <cstddef>
#include <map>
#include <set>

namespace avs::cpu {

class Region {
 public:
  static constexpr size_t kGranule = 4096;  // blocks are whole pages, so that free ones can be given back

  explicit Region(size_t bytes);  // reserves; takes no memory yet. capacity() is 0 where the system refuses
  ~Region();
  Region(const Region&) = delete;
  Region& operator=(const Region&) = delete;

  // bytes is a multiple of kGranule; nullptr: no free block (of allocate_cached: no cached one) is large enough.
  void* allocate(size_t bytes);
  void* allocate_cached(size_t bytes);
  // Neither needs memory where the system has none left.
  void deallocate(void* data, size_t bytes) noexcept;  // bytes as allocated
  void release_cached() noexcept;                      // pages of free blocks go back to the system

  size_t capacity() const { return capacity_; }
  size_t cached_bytes() const { return cached_bytes_; }

 private:
  enum class State { Cached, Fresh };
  struct Block {
    size_t bytes;
    State state;
  };
  using Free = std::map<std::byte*, Block>;  // by address: for joining
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
