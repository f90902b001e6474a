#include "cuda/arena.h"

#include <algorithm>
#include <utility>

#include "cuda/runtime.h"

namespace avs::cuda {
namespace {

constexpr size_t kGranule = 512;               // alignment of every block: the widest vector access and cuBLAS want 256
constexpr size_t kSegment = size_t{32} << 20;  // small blocks share segments of this size
constexpr size_t kLargeGranule = size_t{2} << 20;

#ifdef AVS_EMULATED_CUDA
constexpr size_t kGap = 512;  // a tensor's overrun must not meet its neighbour
void mark_live(void* data, size_t bytes, size_t block_bytes) { emulation::mark_live(data, bytes, block_bytes); }
void mark_dead(void* data, size_t bytes) { emulation::mark_dead(data, bytes); }
#else
constexpr size_t kGap = 0;
void mark_live(void*, size_t, size_t) {}
void mark_dead(void*, size_t) {}
#endif

// Other programs may hold what is missing.
std::string what_the_driver_says() {
  size_t free = 0, total = 0;
  if (cudaMemGetInfo(&free, &total) != cudaSuccess) return "the device has no such block left";
  return str("the device has ", free, " of ", total, " left (nvidia-smi shows who else uses it)");
}

size_t rounded(size_t bytes) { return (std::max<size_t>(bytes, 1) + kGranule - 1) / kGranule * kGranule + kGap; }

}  // namespace

size_t Arena::taken_bytes(size_t bytes) { return rounded(bytes); }

void* Arena::allocate(size_t bytes) {
  const size_t size = rounded(bytes);
  const std::lock_guard lock(mutex_);
  void* data = take(size);
  if (data == nullptr && add_segment(size)) data = take(size);
  if (data == nullptr && !is_capturing(stream(device_))) {  // a capture must not meet cudaFree
    release();
    if (add_segment(size)) data = take(size);
  }
  if (data == nullptr)
    throw OutOfMemory(str(device_, ": ", bytes, " bytes asked, ", live_, " in use, ",
                          limit_ != 0 ? str("the memory limit is ", limit_) : what_the_driver_says(),
                          live_ != 0 ? "; a smaller --batch or --recompute needs less" : ""));
  live_ += size;
  peak_ = std::max(peak_, live_);
  mark_live(data, bytes, size);
  return data;
}

void Arena::deallocate(void* data, size_t bytes) noexcept {
  const std::lock_guard lock(mutex_);
  const auto block = blocks_.find(static_cast<std::byte*>(data));
  if (block == blocks_.end()) return;  // never ours: nothing to give back
  mark_dead(data, bytes);
  live_ -= rounded(bytes);
  insert_free(block);
}

void* Arena::take(size_t bytes) {
  auto& free = free_[pool_];
  const auto fit = free.lower_bound({bytes, nullptr});
  if (fit == free.end()) return nullptr;
  const auto block = blocks_.find(fit->second);
  free.erase(fit);
  const size_t left = block->second.bytes - bytes;
  if (left >= kGranule) {
    std::byte* const rest = block->first + bytes;
    blocks_[rest] = {left, block->second.segment, pool_, true};
    free.insert({left, rest});
    block->second.bytes = bytes;
  }
  block->second.free = false;
  return block->first;
}

bool Arena::add_segment(size_t bytes) {
  size_t size = bytes <= kSegment / 4 ? kSegment : (bytes + kLargeGranule - 1) / kLargeGranule * kLargeGranule;
  if (limit_ != 0 && held_ + size > limit_) size = bytes;  // a tight limit is met exactly
  if (limit_ != 0 && held_ + size > limit_) return false;
  void* data = nullptr;
  cudaError_t result = cudaMalloc(&data, size);
  if (result == cudaErrorMemoryAllocation && size > bytes) {
    cudaGetLastError();  // a failed allocation is not sticky, but it is remembered
    size = bytes;
    result = cudaMalloc(&data, size);
  }
  if (result == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return false;
  }
  check(result, "cudaMalloc");
  auto* const at = static_cast<std::byte*>(data);
  segments_[at] = size;
  held_ += size;
  blocks_[at] = {size, at, pool_, true};
  free_[pool_].insert({size, at});
  return true;
}

void Arena::insert_free(Blocks::iterator block) {
  auto& free = free_[block->second.pool];
  const auto joins = [&](const Blocks::iterator& other) {
    return other->second.free && other->second.segment == block->second.segment &&
           other->second.pool == block->second.pool;
  };
  block->second.free = true;
  const auto next = std::next(block);
  if (next != blocks_.end() && joins(next)) {
    free.erase({next->second.bytes, next->first});
    block->second.bytes += next->second.bytes;
    blocks_.erase(next);
  }
  if (block != blocks_.begin()) {
    const auto before = std::prev(block);
    if (joins(before)) {
      free.erase({before->second.bytes, before->first});
      before->second.bytes += block->second.bytes;
      blocks_.erase(block);
      block = before;
    }
  }
  free.insert({block->second.bytes, block->first});
}

// Only everybody's: a graph replays into the free blocks of its pool.
void Arena::release() noexcept {
  for (auto segment = segments_.begin(); segment != segments_.end();) {
    const auto block = blocks_.find(segment->first);
    if (!block->second.free || block->second.pool != 0 || block->second.bytes != segment->second) {
      ++segment;
      continue;
    }
    free_[0].erase({block->second.bytes, block->first});
    blocks_.erase(block);
    held_ -= segment->second;
    cudaFree(segment->first);
    segment = segments_.erase(segment);
  }
}

int Arena::new_pool() {
  const std::lock_guard lock(mutex_);
  return pools_++;
}

int Arena::use_pool(int pool) {
  const std::lock_guard lock(mutex_);
  return std::exchange(pool_, pool);
}

void Arena::release_pool(int pool) {
  const std::lock_guard lock(mutex_);
  for (auto& [address, block] : blocks_)
    if (block.pool == pool) block.pool = 0;
  free_[0].merge(free_[pool]);
  free_.erase(pool);
}

MemoryStats Arena::stats() const {
  const std::lock_guard lock(mutex_);
  return {live_, peak_, held_ - live_, limit_};
}

void Arena::set_limit(size_t bytes) {
  const std::lock_guard lock(mutex_);
  limit_ = bytes;
}

void Arena::reset_peak() {
  const std::lock_guard lock(mutex_);
  peak_ = live_;
}

void Arena::release_cached() noexcept {
  const std::lock_guard lock(mutex_);
  release();
}

}  // namespace avs::cuda
