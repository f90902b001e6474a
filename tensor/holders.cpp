#include "tensor/holders.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "tensor/error.h"

namespace avs {
namespace {

thread_local Charge charge_now;

// Returns the name that new tensors of this thread are charged to. A layer is named by its stage, the first part of its
// path.
std::string current_holder() {
  if (charge_now.layer == nullptr) return charge_now.name;
  const std::string_view stage = std::string_view(*charge_now.layer).substr(0, charge_now.layer->find('.'));
  return fmt::format("{} of {}", charge_now.pass == Pass::Back ? "gradients" : "activations",
                     stage.empty() ? "the network" : stage);
}

}  // namespace

ChargeScope::ChargeScope(Charge charge) : before_(std::exchange(charge_now, charge)) {}
ChargeScope::~ChargeScope() { charge_now = before_; }

HolderScope::HolderScope(const char* name) : charge_({nullptr, charge_now.pass, name}) {}

// ---- the ledger ----

class Ledger {
 public:
  static Ledger& of_this_process() {
    static auto* const only = new Ledger;  // never destroyed: tensors in static storage may outlive it
    return *only;
  }

  void enter(const void* data, Device device, size_t bytes) {
    const std::lock_guard lock(mutex_);
    const std::string* const holder = &*names_.insert(current_holder()).first;
    live_[data] = {device, bytes, holder, next_++};
    if (trace_ == nullptr || !(trace_->device_ == device)) return;
    traced_[data] = trace_->items_.size();
    trace_->events_.push_back({trace_->items_.size(), true});
    trace_->items_.push_back({.bytes = bytes, .holder = *holder, .made = charge_now.pass});
  }

  void leave(const void* data) noexcept {
    const std::lock_guard lock(mutex_);
    live_.erase(data);
    if (trace_ == nullptr) return;
    const auto found = traced_.find(data);
    if (found == traced_.end()) return;
    MemoryTrace::Item& item = trace_->items_[found->second];
    item.gone = true;
    item.freed = charge_now.pass;
    trace_->events_.push_back({found->second, false});
    traced_.erase(found);
  }

  void start(MemoryTrace& trace) {
    const std::lock_guard lock(mutex_);
    AVS_CHECK(UsageError, trace_ == nullptr, "a memory trace is running already");
    trace_ = &trace;
    std::map<uint64_t, const void*> standing;  // ordered by age, so that two traces of one program agree
    for (const auto& [data, charge] : live_)
      if (charge.device == trace.device_) standing[charge.age] = data;
    for (const auto& [age, data] : standing) {
      const Entry& charge = live_.at(data);
      traced_[data] = trace.items_.size();
      trace.items_.push_back({.bytes = charge.bytes, .holder = *charge.holder, .standing = true});
    }
  }

  void stop(MemoryTrace& trace) {
    const std::lock_guard lock(mutex_);
    if (trace_ != &trace) return;
    trace_ = nullptr;
    traced_.clear();
  }

  std::map<std::string, size_t> sums(Device device) {
    const std::lock_guard lock(mutex_);
    std::map<std::string, size_t> sums;
    for (const auto& [data, charge] : live_)
      if (charge.device == device) sums[*charge.holder] += charge.bytes;
    return sums;
  }

 private:
  struct Entry {
    Device device;
    size_t bytes;
    const std::string* holder;
    uint64_t age;
  };
  uint64_t next_ = 0;
  std::mutex mutex_;
  std::set<std::string> names_;
  std::unordered_map<const void*, Entry> live_;
  std::unordered_map<const void*, size_t> traced_;  // index into the trace's items
  MemoryTrace* trace_ = nullptr;
};

namespace ledger {
void enter(const void* data, Device device, size_t bytes) { Ledger::of_this_process().enter(data, device, bytes); }
void leave(const void* data) noexcept { Ledger::of_this_process().leave(data); }
}  // namespace ledger

MemoryTrace::MemoryTrace(Device device) : device_(device) { Ledger::of_this_process().start(*this); }
MemoryTrace::~MemoryTrace() { stop(); }
void MemoryTrace::stop() { Ledger::of_this_process().stop(*this); }

// ---- for people ----

std::vector<Holder> holders(Device device) {
  std::vector<Holder> all;
  for (auto& [name, bytes] : Ledger::of_this_process().sums(device)) all.push_back({name, bytes});
  std::ranges::stable_sort(all, std::greater{}, &Holder::bytes);
  return all;
}

std::string as_size(size_t bytes) {
  const auto b = static_cast<double>(bytes);
  return bytes >= 1'000'000'000 ? fmt::format("{:.2f} GB", b / 1e9) : fmt::format("{:.1f} MB", b / 1e6);
}

std::string describe_holders(Device device) {
  constexpr size_t kTold = 6;
  const std::vector<Holder> all = holders(device);
  std::string text;
  size_t rest = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    if (i < kTold)
      text += str(i == 0 ? "" : ", ", all[i].name, " ", as_size(all[i].bytes));
    else
      rest += all[i].bytes;
  }
  if (rest != 0) text += str(" and ", all.size() - kTold, " others ", as_size(rest));
  return text;
}

}  // namespace avs
