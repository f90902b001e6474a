#include "tests/emulation/shadow.h"

#include <link.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <unordered_map>
#include <vector>

#include "tensor/error.h"
#include "tests/emulation/machine.h"
#include "tests/emulation/order.h"

namespace avs::emulation {
namespace {

constexpr size_t kHeapBytes = size_t{4} << 30;  // reserved, not allocated: pages appear at the first touch
constexpr size_t kDryBytes = size_t{1} << 40;
constexpr size_t kGap = 256;                  // between blocks, so that an overrun hits no other block
constexpr size_t kCellBytes = 2;              // bytes that share a cell: the smallest element that kernels write
constexpr size_t kDynamicBytes = 228 * 1024;  // the max of all architectures

struct Cell {
  Stamp writer, reader[2];  // the last write; two unordered readers of this launch
};

template <typename T>
T* reserve(size_t count) {
  void* memory =
      mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw DeviceError("emulation: the system refuses the address space of the shadow memory");
  return static_cast<T*>(memory);
}

enum class State : uint8_t { Nothing = 0, Live = 1, Dead = 2 };

struct Heap {
  size_t bytes = dry() ? kDryBytes : kHeapBytes;
  std::byte* base = reserve<std::byte>(bytes);
  State* state = dry() ? nullptr : reserve<State>(bytes);
  Cell* cells = dry() ? nullptr : reserve<Cell>(bytes / kCellBytes);
  std::map<size_t, size_t> taken;  // offset -> bytes
  size_t used = 0;
};
Heap& the_heap() {
  static auto* const heap = new Heap;  // never destroyed: tensors in static storage may outlive it
  return *heap;
}

size_t rounded(size_t bytes) { return (bytes + 255) / 256 * 256; }

// ---- shared memory ----

// Each block has a number, which separates its writes from those of earlier blocks, so beginning a block clears
// nothing.
struct SharedSpace {
  std::byte* begin = nullptr;
  size_t bytes = 0;
  uint32_t block_number = 0;
  std::vector<Cell> cells;        // their stamps hold the block's number, those of device memory the launch's
  std::vector<uint32_t> written;  // for each byte, the block that wrote it
  void attach(std::byte* at, size_t size) {
    begin = at;
    bytes = size;
    ++block_number;
    if (written.size() < size) {
      cells.resize((size + 1) / kCellBytes + 1);
      written.resize(size, 0);
    }
  }
  bool contains(const void* address) const {
    const auto* p = static_cast<const std::byte*>(address);
    return p >= begin && p < begin + bytes;
  }
};

// Finds the program's thread-local segment on this thread, which holds `__shared__` variables.
void find_thread_segment(std::byte*& begin, size_t& bytes) {
  struct Found {
    std::byte* begin = nullptr;
    size_t bytes = 0;
  } found;
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        for (int i = 0; i < info->dlpi_phnum; ++i)
          if (info->dlpi_phdr[i].p_type == PT_TLS && info->dlpi_tls_data != nullptr) {
            auto* f = static_cast<Found*>(out);
            f->begin = static_cast<std::byte*>(info->dlpi_tls_data);
            f->bytes = info->dlpi_phdr[i].p_memsz;
          }
        return 1;  // the first module is the program
      },
      &found);
  begin = found.begin;
  bytes = found.bytes;
}

struct Shared {
  SharedSpace statics, dynamic;
  alignas(128) std::byte buffer[kDynamicBytes];
};
Shared& the_shared() {
  static thread_local Shared* const spaces = new Shared;
  return *spaces;
}

// ---- the check of one access ----

// The meaning of a stamp's `launch`: pieces of the device's work, or blocks, which never share their memory.
enum class Memory : uint8_t { Device, Shared };

std::optional<std::string> race(Cell& cell, Access access, const Stamp& now, Memory memory) {
  const auto before_this_launch = [&](const Stamp& other) {
    return memory == Memory::Shared || order::before_current(other.launch);
  };
  const auto conflicts = [&](const Stamp& other) {
    if (other.launch != now.launch) return !before_this_launch(other);
    if (other.block == now.block && other.thread == now.thread) return false;
    if (access == Access::Atomic && other.atomic) return false;
    return !ordered_before_now(other);
  };
  const auto who = [&](const char* did, const Stamp& other) {
    if (other.launch != now.launch)
      return str("a race: ", order::name_of(other.launch), " ", did, " the same place and no event orders the two");
    return str("a race: thread ", other.thread,
               other.block == now.block ? " of the same block" : str(" of block ", other.block), " ", did,
               " the same place and nothing orders the two");
  };
  if (conflicts(cell.writer)) return who("wrote", cell.writer);
  if (access != Access::Read)
    for (const Stamp& reader : cell.reader)
      if (conflicts(reader)) return who("read", reader);
  if (access == Access::Read) {
    const Stamp& last = cell.reader[0];
    const bool same = last.block == now.block && last.thread == now.thread;
    const bool ordered = last.launch == now.launch ? same || ordered_before_now(last) : before_this_launch(last);
    if (!ordered) cell.reader[1] = last;
    cell.reader[0] = now;
  } else {
    cell.writer = now;
    cell.writer.atomic = access == Access::Atomic;
  }
  return std::nullopt;
}

// Holds the cells of odd bytes that are accessed alone (pixels); an ordinary cell stands for two bytes.
std::unordered_map<const Cell*, Cell>& odd_bytes() {
  static std::unordered_map<const Cell*, Cell> cells;
  return cells;
}

std::optional<std::string> races(Cell* cells, size_t offset, size_t bytes, Access access, const Stamp& now,
                                 Memory memory) {
  if (bytes == 1 && offset % kCellBytes != 0) return race(odd_bytes()[cells + offset], access, now, memory);
  for (size_t i = offset / kCellBytes; i <= (offset + bytes - 1) / kCellBytes; ++i)
    if (auto found = race(cells[i], access, now, memory)) return found;
  return std::nullopt;
}

std::string nearest_block(size_t offset) {
  const Heap& heap = the_heap();
  const auto next = heap.taken.upper_bound(offset);
  if (next == heap.taken.begin()) return "before any block of device memory";
  const auto block = std::prev(next);
  size_t end = block->first;  // end of the live bytes before this offset
  for (size_t i = offset; i > block->first; --i)
    if (heap.state[i - 1] == State::Live) {
      end = i;
      break;
    }
  return str(offset - end, " bytes past the end of a tensor");
}

std::optional<std::string> check_heap(const std::byte* address, size_t bytes, Access access, const Stamp& now) {
  Heap& heap = the_heap();
  const auto offset = static_cast<size_t>(address - heap.base);
  for (size_t i = offset; i < offset + bytes; ++i) {
    if (heap.state[i] == State::Dead) return str(bytes, " bytes in a tensor that was given back");
    if (heap.state[i] != State::Live) return str(bytes, " bytes out of bounds, ", nearest_block(i));
  }
  return races(heap.cells, offset, bytes, access, now, Memory::Device);
}

std::optional<std::string> check_shared(SharedSpace& space, const std::byte* address, size_t bytes, Access access,
                                        const Stamp& now) {
  const auto offset = static_cast<size_t>(address - space.begin);
  if (offset + bytes > space.bytes) return str(bytes, " bytes past the end of shared memory");
  for (size_t i = offset; i < offset + bytes; ++i) {
    if (access == Access::Read && space.written[i] != space.block_number)
      return std::string("uninitialised shared memory");
    if (access != Access::Read) space.written[i] = space.block_number;
  }
  Stamp in_block = now;
  in_block.launch = space.block_number;
  return races(space.cells.data(), offset, bytes, access, in_block, Memory::Shared);
}

}  // namespace

bool dry() {
  static const bool wanted = [] {
    const char* const asked = std::getenv("AVS_EMULATION_DRY");
    return asked != nullptr && std::string(asked) != "0";
  }();
  return wanted;
}

// ---- device memory ----

namespace heap {

void* allocate(size_t bytes) {
  Heap& heap = the_heap();
  const size_t size = rounded(std::max<size_t>(bytes, 1));
  if (heap.used + size > heap.bytes) return nullptr;
  size_t at = kGap;
  for (const auto& [offset, taken] : heap.taken) {
    if (offset >= at + size + kGap) break;
    at = offset + taken + kGap;
  }
  if (at + size > heap.bytes) return nullptr;
  heap.taken[at] = size;
  heap.used += size;
  return heap.base + at;
}

bool release(void* data) {
  Heap& heap = the_heap();
  const auto block = heap.taken.find(static_cast<size_t>(static_cast<std::byte*>(data) - heap.base));
  if (block == heap.taken.end()) return false;
  mark_dead(data, block->second);
  heap.used -= block->second;
  heap.taken.erase(block);
  return true;
}

bool contains(const void* address) {
  const auto* p = static_cast<const std::byte*>(address);
  return p >= the_heap().base && p < the_heap().base + the_heap().bytes;
}

size_t total_bytes() { return the_heap().bytes; }
size_t free_bytes() { return the_heap().bytes - the_heap().used; }

void mark_live(void* data, size_t bytes, size_t block_bytes) {
  if (dry()) {  // uncomputed values are zero; the host reads only values at the beginning
    std::memset(data, 0, std::min<size_t>(bytes, 64));
    return;
  }
  Heap& heap = the_heap();
  const auto offset = static_cast<size_t>(static_cast<std::byte*>(data) - heap.base);
  std::memset(heap.state + offset, static_cast<int>(State::Live), bytes);
  std::memset(heap.state + offset + bytes, static_cast<int>(State::Nothing), block_bytes - bytes);
  std::memset(data, 0xff, bytes);  // NaN in every floating type
}

void mark_dead(void* data, size_t bytes) {
  if (dry()) return;
  Heap& heap = the_heap();
  std::memset(heap.state + (static_cast<std::byte*>(data) - heap.base), static_cast<int>(State::Dead), bytes);
}

void touch(const void* data, size_t bytes, Access access) {
  if (!order::several_streams() || bytes == 0) return;
  Stamp now;
  now.launch = order::current();
  const auto offset = static_cast<size_t>(static_cast<const std::byte*>(data) - the_heap().base);
  for (size_t i = offset / kCellBytes; i <= (offset + bytes - 1) / kCellBytes; ++i)
    if (const auto found = race(the_heap().cells[i], access, now, Memory::Device))
      throw Finding(str(order::name_of(now.launch), ": ", *found));
}

bool is_live(const void* data, size_t bytes) {
  const Heap& heap = the_heap();
  const auto offset = static_cast<size_t>(static_cast<const std::byte*>(data) - heap.base);
  return offset + bytes <= heap.bytes && (dry() || std::all_of(heap.state + offset, heap.state + offset + bytes,
                                                               [](State s) { return s == State::Live; }));
}

}  // namespace heap

namespace shared {

void begin_block(size_t dynamic_bytes) {
  Shared& spaces = the_shared();
  std::byte* begin = nullptr;
  size_t bytes = 0;
  find_thread_segment(begin, bytes);
  spaces.statics.attach(begin, bytes);
  spaces.dynamic.attach(spaces.buffer, dynamic_bytes);
}

bool contains(const void* address) {
  const auto* p = static_cast<const std::byte*>(address);
  const Shared& spaces = the_shared();
  return spaces.statics.contains(p) || (p >= spaces.buffer && p < spaces.buffer + kDynamicBytes);
}

void* dynamic() { return the_shared().buffer; }

}  // namespace shared

std::optional<std::string> check(const void* address, size_t bytes, Access access, const Stamp& now) {
  const auto* p = static_cast<const std::byte*>(address);
  if (heap::contains(p)) return check_heap(p, bytes, access, now);
  Shared& spaces = the_shared();
  if (spaces.statics.contains(p)) return check_shared(spaces.statics, p, bytes, access, now);
  if (p >= spaces.buffer && p < spaces.buffer + kDynamicBytes)
    return check_shared(spaces.dynamic, p, bytes, access, now);
  return str(bytes, " bytes that are not the device's: host memory, or an address made of nothing");
}

}  // namespace avs::emulation
