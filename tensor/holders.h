// Accounting of a device's memory. Every tensor is charged to a name: the one that a HolderScope of its thread sets
// ("parameters", "optimizer"), or the layer that runs, forward or backward. An out-of-memory error lists the largest
// names; a MemoryTrace records the allocations and frees of a step, from which the memory plan is made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/device.h"
#include "tensor/no_copy.h"

namespace avs {

enum class Pass : uint8_t { Outside, Onward, Back };  // the pass of a network: none, forward, backward

// Tensors that a thread makes are charged to the layer that runs ("mixed0.branch1x1.0"), or to a name where there is none.
struct Charge {
  const std::string* layer = nullptr;
  Pass pass = Pass::Outside;
  const char* name = "other tensors";
};

// Sets this thread's charge for a scope. Autograd does so for layers.
class ChargeScope : NoCopy {
 public:
  explicit ChargeScope(Charge charge);
  ~ChargeScope();

 private:
  Charge before_;
};

// Charges to `name` instead of the running layer. The innermost scope counts.
class HolderScope {
 public:
  explicit HolderScope(const char* name);

 private:
  ChargeScope charge_;
};

// The bytes charged to each name now, the largest first. Layers are summed by stage: "activations of mixed3".
struct Holder {
  std::string name;
  size_t bytes = 0;
};
std::vector<Holder> holders(Device device);
// "optimizer 190.7 MB, activations of mixed3 81.2 MB, … and 7 others 3.1 MB"
std::string describe_holders(Device device);
std::string as_size(size_t bytes);  // "190.7 MB", "4.0 GB"; decimal

size_t taken_bytes(Device device, size_t bytes);  // the bytes that a tensor of `bytes` occupies
size_t room(Device device);                       // the max bytes of all tensors: the limit, or the device's memory

// Records all tensors of a device that exist during its lifetime, and the order of their allocations and frees.
class MemoryTrace : NoCopy {
 public:
  struct Item {
    size_t bytes = 0;  // the size requested
    std::string holder;
    Pass made = Pass::Outside, freed = Pass::Outside;
    bool standing = false, gone = false;  // existed at the start; was freed
  };
  struct Event {
    size_t item;
    bool comes;  // false: it is freed
  };

  explicit MemoryTrace(Device device);  // one at a time
  ~MemoryTrace();

  void stop();  // ends recording
  const std::vector<Item>& items() const { return items_; }
  const std::vector<Event>& events() const { return events_; }  // allocations and frees during the trace

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
