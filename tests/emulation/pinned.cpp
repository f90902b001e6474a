#include "tests/emulation/pinned.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "tests/emulation/machine.h"
#include "tests/emulation/order.h"

namespace avs::emulation::pinned {
namespace {

struct Copy {
  std::byte* pinned;
  std::vector<std::byte> bytes;
  uint32_t work;
  bool to_host;
};
struct State {
  std::map<const std::byte*, size_t> taken;
  std::vector<Copy> under_way;
};
State& state() {
  static auto* const s = new State;
  return *s;
}

std::vector<std::byte> bytes_at(const void* data, size_t bytes) {
  const auto* p = static_cast<const std::byte*>(data);
  return {p, p + bytes};
}

}  // namespace

void* allocate(size_t bytes) {
  void* const data = std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  if (data != nullptr) state().taken[static_cast<std::byte*>(data)] = bytes;
  return data;
}

bool release(void* data) {
  const auto found = state().taken.find(static_cast<std::byte*>(data));
  if (found == state().taken.end()) return false;
  state().taken.erase(found);
  std::free(data);
  return true;
}

bool contains(const void* data) {
  const auto* p = static_cast<const std::byte*>(data);
  const auto next = state().taken.upper_bound(p);
  return next != state().taken.begin() && p < std::prev(next)->first + std::prev(next)->second;
}

void write(void* to, const void* from, size_t bytes) {
  state().under_way.push_back({static_cast<std::byte*>(to), bytes_at(from, bytes), order::current(), true});
  std::memset(to, 0xff, bytes);
}

void read(const void* from, size_t bytes) {
  auto* const p = const_cast<std::byte*>(static_cast<const std::byte*>(from));
  state().under_way.push_back({p, bytes_at(from, bytes), order::current(), false});
}

void before_host_waits() {
  for (const Copy& copy : state().under_way)
    if (!copy.to_host && std::memcmp(copy.pinned, copy.bytes.data(), copy.bytes.size()) != 0) {
      const std::string what = order::name_of(copy.work);
      std::erase_if(state().under_way, [](const Copy& c) { return !c.to_host; });
      throw Finding("pinned host memory was changed while " + what + " may still have been reading it");
    }
}

void after_host_waited() {
  for (const Copy& copy : state().under_way)
    if (copy.to_host && order::done_for_host(copy.work)) std::memcpy(copy.pinned, copy.bytes.data(), copy.bytes.size());
  std::erase_if(state().under_way, [](const Copy& copy) { return order::done_for_host(copy.work); });
}

}  // namespace avs::emulation::pinned
