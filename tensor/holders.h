// Who holds a device's memory. Every tensor is charged to what its thread was doing when it was made: a name that a
// HolderScope sets ("parameters", "optimizer"), or the layer that runs, forward or backward. An out-of-memory error
// tells the largest holders; a MemoryTrace records what a step takes and gives back, from which memory is planned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/device.h"

namespace avs {

// While one lives, what this thread makes is held by `name`. The innermost counts.
class HolderScope {
 public:
  explicit HolderScope(const char* name);
  ~HolderScope();
  HolderScope(const HolderScope&) = delete;
  HolderScope& operator=(const HolderScope&) = delete;

 private:
  const char* name_before_;
  const std::string* layer_before_;
};

enum class Pass : uint8_t { Outside, Onward, Back };  // of a network: neither, forward, backward

// What this thread makes from now on belongs to a layer ("mixed3.branch1x1"; null: to nobody). Called by autograd.
struct LayerCharge {
  const std::string* layer = nullptr;
  Pass pass = Pass::Outside;
};
LayerCharge charge_to(LayerCharge charge);  // returns the one before

// What holds a device's memory now, the largest first. Layers are told by stage: "activations of mixed3".
struct Holder {
  std::string name;
  size_t bytes = 0;
};
std::vector<Holder> holders(Device device);
std::string describe_holders(
    Device device);                 // "optimizer 190.7 MB, activations of mixed3 81.2 MB, … and 7 others 3.1 MB"
std::string as_size(size_t bytes);  // "190.7 MB", "4.0 GB"; decimal

size_t taken_bytes(Device device, size_t bytes);  // what a tensor of so many bytes counts for
size_t room(Device device);                       // what tensors may take in all: the limit, or what the device has

// All tensors of a device that live at some time while it does, and the order in which they came and went.
class MemoryTrace {
 public:
  struct Item {
    size_t bytes = 0;  // as asked for
    std::string holder;
    Pass made = Pass::Outside, freed = Pass::Outside;
    bool standing = false, gone = false;  // was there before; was given back
  };
  struct Event {
    size_t item;
    bool comes;  // else it goes
  };

  explicit MemoryTrace(Device device);  // one at a time
  ~MemoryTrace();
  MemoryTrace(const MemoryTrace&) = delete;
  MemoryTrace& operator=(const MemoryTrace&) = delete;

  void stop();  // records nothing from here on
  const std::vector<Item>& items() const { return items_; }
  const std::vector<Event>& events() const { return events_; }  // of items that were not standing, and their ends

 private:
  friend class Ledger;
  Device device_;
  std::vector<Item> items_;
  std::vector<Event> events_;
};

// Called by Storage.
namespace ledger {
void enter(const void* data, Device device, size_t bytes);
void leave(const void* data) noexcept;
}  // namespace ledger

}  // namespace avs
