#include "tensor/cpu/region.h"

#include <sys/mman.h>

#include <iterator>
#include <new>

namespace avs::cpu {

Region::Region(size_t bytes) {
  // A system that does not overcommit refuses to reserve the whole machine's memory but grants a part of it.
  for (bytes = bytes / kGranule * kGranule; bytes >= kGranule; bytes = bytes / 2 / kGranule * kGranule) {
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) continue;
    madvise(at, bytes, MADV_HUGEPAGE);  // optional: huge pages make 512 times fewer page faults
    base_ = static_cast<std::byte*>(at);
    capacity_ = bytes;
    insert(base_, {bytes, State::Fresh});
    return;
  }
}

Region::~Region() {
  if (base_ != nullptr) munmap(base_, capacity_);
}

void* Region::allocate_cached(size_t bytes) {
  const auto block = best_fit(State::Cached, bytes);
  return block == free_.end() ? nullptr : take(block, bytes);
}

void* Region::allocate(size_t bytes) {
  if (void* cached = allocate_cached(bytes); cached != nullptr) return cached;
  const auto block = best_fit(State::Fresh, bytes);
  if (block == free_.end()) return nullptr;
  // If a cached block ends where the fresh one begins, use it as the first part: its pages are already resident.
  if (block != free_.begin()) {
    const auto before = std::prev(block);
    if (before->first + before->second.bytes == block->first && before->second.state == State::Cached) {
      std::byte* const at = before->first;
      const size_t from_fresh = bytes - before->second.bytes;  // best_fit found no cached block of this size
      erase(before);
      take(block, from_fresh);
      return at;
    }
  }
  return take(block, bytes);
}

void Region::deallocate(void* data, size_t bytes) noexcept {
  auto* at = static_cast<std::byte*>(data);
  const auto after = free_.lower_bound(at);
  if (after != free_.end() && at + bytes == after->first && after->second.state == State::Cached) {
    bytes += after->second.bytes;
    erase(after);
  }
  const auto next = free_.lower_bound(at);
  if (next != free_.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second.bytes == at && before->second.state == State::Cached) {
      at = before->first;
      bytes += before->second.bytes;
      erase(before);
    }
  }
  try {
    insert(at, {bytes, State::Cached});
  } catch (const std::bad_alloc&) {  // the block stays out of the free lists; its pages go to the system
    madvise(at, bytes, MADV_DONTNEED);
  }
}

void Region::release_cached() noexcept {
  for (auto block = free_.begin(); block != free_.end(); ++block) {
    auto& [at, current] = *block;
    if (current.state == State::Cached) {
      madvise(at, current.bytes, MADV_DONTNEED);
      fresh_.insert(cached_.extract({current.bytes, at}));
      current.state = State::Fresh;
    }
    if (block == free_.begin()) continue;
    const auto before = std::prev(block);
    if (before->first + before->second.bytes != at) continue;
    fresh_.erase({current.bytes, at});
    auto joined = fresh_.extract({before->second.bytes, before->first});
    before->second.bytes += current.bytes;
    joined.value().first = before->second.bytes;
    fresh_.insert(std::move(joined));
    block = std::prev(free_.erase(block));
  }
  cached_bytes_ = 0;
}

void Region::insert(std::byte* at, Block block) {
  const auto added = free_.emplace(at, block).first;
  try {
    by_size(block.state).insert({block.bytes, at});
  } catch (...) {
    free_.erase(added);
    throw;
  }
  if (block.state == State::Cached) cached_bytes_ += block.bytes;
}

void Region::erase(Free::iterator block) {
  by_size(block->second.state).erase({block->second.bytes, block->first});
  if (block->second.state == State::Cached) cached_bytes_ -= block->second.bytes;
  free_.erase(block);
}

void* Region::take(Free::iterator block, size_t bytes) {
  std::byte* const at = block->first;
  const Block whole = block->second;
  erase(block);
  if (whole.bytes > bytes) insert(at + bytes, {whole.bytes - bytes, whole.state});
  return at;
}

Region::Free::iterator Region::best_fit(State state, size_t bytes) {
  BySize& blocks = by_size(state);
  const auto it = blocks.lower_bound({bytes, nullptr});
  return it == blocks.end() ? free_.end() : free_.find(it->second);
}

}  // namespace avs::cpu
