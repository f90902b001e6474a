#include "tests/emulation/machine.h"

#include <sys/mman.h>

#include <algorithm>
#include <boost/context/detail/fcontext.hpp>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <numeric>
#include <vector>

#include "tensor/rng.h"
#include "tests/emulation/fiber_state.h"
#include "tests/emulation/order.h"
#include "tests/emulation/shadow.h"

namespace avs::emulation {
namespace {

namespace context = boost::context::detail;

constexpr size_t kStackBytes = 64 * 1024;
constexpr unsigned kMaxThreads = 1024, kLanes = 32;
constexpr uint32_t kAllLanes = 0xffffffffu;

struct Warp {
  uint32_t clock[kLanes][kLanes] = {};          // clock[a][b]: the latest time of lane b that lane a has seen
  alignas(16) std::byte deposits[kLanes][256];  // from the last collective
};

// ---- one block ----

class Block {
 public:
  explicit Block(const Launch& launch)
      : launch_(launch), fibers_(launch.block.count()), warps_((fibers_.size() + 31) / 32) {}

  void run(Extent at, uint64_t linear, Rng& rng, Order order);
  Fiber* current() { return current_; }
  const Launch& launch() const { return launch_; }
  void leave() {  // to the scheduler, which later resumes this fiber
    const bool aside = Aside::active;
    scheduler_ = context::jump_fcontext(scheduler_, nullptr).fctx;
    Aside::active = aside;
  }
  Warp& warp_of(const Fiber& fiber) { return warps_[fiber.linear / kLanes]; }
  Stamp now() const;
  bool ordered(const Stamp& earlier) const;
  std::string finding;

 private:
  void start(Extent at);
  void resume(Fiber& fiber);
  bool release_warps();
  bool release_block();
  void complete(size_t warp, uint32_t mask);
  void describe_deadlock();
  static void entry(context::transfer_t from);

  const Launch& launch_;
  std::vector<Fiber> fibers_;
  std::vector<Warp> warps_;
  Fiber* current_ = nullptr;
  context::fcontext_t scheduler_ = nullptr;
  uint64_t linear_ = 0;
  uint32_t interval_ = 0;
};

thread_local Block* running = nullptr;

std::byte* stacks() {
  static std::byte* const all = [] {
    void* memory = mmap(nullptr, kStackBytes * kMaxThreads, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) throw DeviceError("emulation: no memory for the stacks of a block's threads");
    return static_cast<std::byte*>(memory);
  }();
  return all;
}

std::string text(Extent e) { return str("(", e.x, ", ", e.y, ", ", e.z, ")"); }

void Block::entry(context::transfer_t from) {
  Block& block = *static_cast<Block*>(from.data);
  block.scheduler_ = from.fctx;
  block.launch_.call(block.launch_.parameters.get());
  block.current_->state = FiberState::Done;
  block.leave();
}

void Block::start(Extent at) {
  const Extent extent = launch_.block;
  for (size_t i = 0; i < fibers_.size(); ++i) {
    Fiber& f = fibers_[i];
    const auto t = static_cast<unsigned>(i);
    f = Fiber{};
    f.linear = t;
    f.index = {{t % extent.x, t / extent.x % extent.y, t / extent.x / extent.y}, at, extent, launch_.grid};
    f.context = context::make_fcontext(stacks() + (i + 1) * kStackBytes, kStackBytes, &Block::entry);
  }
  for (Warp& warp : warps_) std::memset(warp.clock, 0, sizeof(warp.clock));
  for (Warp& warp : warps_)
    for (unsigned lane = 0; lane < kLanes; ++lane) warp.clock[lane][lane] = 1;
  interval_ = 0;
}

void Block::resume(Fiber& fiber) {
  current_ = &fiber;
  Aside::active = false;
  fiber.context = context::jump_fcontext(fiber.context, this).fctx;
  current_ = nullptr;
}

void Block::run(Extent at, uint64_t linear, Rng& rng, Order order) {
  linear_ = linear;
  shared::begin_block(launch_.shared_bytes);
  start(at);
  std::vector<size_t> turn(fibers_.size());
  std::iota(turn.begin(), turn.end(), size_t{0});
  if (order == Order::Reverse) std::ranges::reverse(turn);
  for (;;) {
    if (order == Order::Shuffled) rng.shuffle(turn);
    bool moved = false;
    for (const size_t i : turn) {
      if (fibers_[i].state != FiberState::Ready) continue;
      moved = true;
      resume(fibers_[i]);
      if (!finding.empty()) return;
    }
    if (release_warps() || release_block() || moved) {
      if (!finding.empty()) return;
      continue;
    }
    if (std::ranges::all_of(fibers_, [](const Fiber& f) { return f.state == FiberState::Done; })) return;
    return describe_deadlock();
  }
}

// Ends a warp's collective once every lane in its mask waits in it.
bool Block::release_warps() {
  bool any = false;
  for (size_t w = 0; w < warps_.size(); ++w) {
    const size_t first = w * kLanes, last = std::min(first + kLanes, fibers_.size());
    for (size_t i = first; i < last; ++i) {
      if (fibers_[i].state != FiberState::InWarp) continue;
      const uint32_t mask = fibers_[i].mask;
      bool complete_now = true;
      for (size_t j = first; j < last; ++j)
        if ((mask >> (j - first) & 1u) != 0)
          complete_now = complete_now && fibers_[j].state == FiberState::InWarp && fibers_[j].mask == mask &&
                         fibers_[j].collective == fibers_[i].collective;
      if (!complete_now) continue;
      complete(w, mask);
      any = true;
    }
  }
  return any;
}

void Block::complete(size_t w, uint32_t mask) {
  Warp& warp = warps_[w];
  uint32_t joined[kLanes] = {};
  const auto lanes = [&](auto&& act) {
    for (unsigned lane = 0; lane < kLanes && w * kLanes + lane < fibers_.size(); ++lane)
      if ((mask >> lane & 1u) != 0) act(lane, fibers_[w * kLanes + lane]);
  };
  bool orders_memory = true;
  lanes([&](unsigned lane, Fiber& f) {
    std::memcpy(warp.deposits[lane], f.deposit, f.deposit_bytes);
    orders_memory = f.collective != Collective::Matrix;
    for (unsigned other = 0; other < kLanes; ++other) joined[other] = std::max(joined[other], warp.clock[lane][other]);
  });
  lanes([&](unsigned lane, Fiber& f) {
    if (orders_memory) {
      std::copy(joined, joined + kLanes, warp.clock[lane]);
      ++warp.clock[lane][lane];
    }
    f.state = FiberState::Ready;
  });
}

// "cuda/gelu.cu:33": the path from the project's root.
static std::string from_root(const std::string& place) {
  for (const char* folder : {"/tests/", "/bench/", "/cuda/"})
    if (const size_t at = place.rfind(folder); at != std::string::npos) return place.substr(at + 1);
  return place;
}

bool Block::release_block() {
  const Fiber* first = nullptr;
  for (const Fiber& f : fibers_) {
    if (f.state == FiberState::Done) continue;
    if (f.state != FiberState::AtBarrier) return false;
    if (first == nullptr) first = &f;
    if (f.line != first->line || std::strcmp(f.file, first->file) != 0) {
      describe_deadlock();
      return true;
    }
  }
  if (first == nullptr) return false;
  for (Fiber& f : fibers_)
    if (f.state == FiberState::AtBarrier) f.state = FiberState::Ready;
  ++interval_;
  return true;
}

void Block::describe_deadlock() {
  const auto place = [](const Fiber& f) {
    const char* const what = f.state == FiberState::AtBarrier ? "__syncthreads()" : "a warp primitive";
    return f.state == FiberState::Done ? std::string("ended")
                                       : str("waits in ", what, " at ", from_root(f.file), ":", f.line);
  };
  const auto waiting = std::ranges::find_if(fibers_, [](const Fiber& f) { return f.state != FiberState::Done; });
  std::string other = "nobody else can arrive";
  for (const Fiber& f : fibers_) {
    const bool in_mask = waiting->state != FiberState::InWarp || (f.linear / kLanes == waiting->linear / kLanes &&
                                                                  (waiting->mask >> (f.linear % kLanes) & 1u) != 0);
    const bool elsewhere = f.state != waiting->state || f.line != waiting->line || f.mask != waiting->mask;
    if (in_mask && elsewhere) {
      other = str("thread ", text(f.index.thread),
                  f.state == FiberState::InWarp ? str(" with mask ", std::hex, f.mask, std::dec) : "", " ", place(f));
      break;
    }
  }
  const std::string mask =
      waiting->state == FiberState::InWarp ? str(" with mask ", std::hex, waiting->mask, std::dec) : "";
  finding = str("kernel ", launch_.kernel, ", block ", text(waiting->index.block), ": divergent flow: thread ",
                text(waiting->index.thread), " ", place(*waiting), mask, ", but ", other);
}

Stamp Block::now() const {
  const Fiber& f = *current_;
  Stamp stamp;
  stamp.launch = order::current();
  stamp.block = static_cast<uint32_t>(linear_);
  stamp.thread = static_cast<uint16_t>(f.linear);
  stamp.interval = interval_;
  stamp.clock = warps_[f.linear / kLanes].clock[f.linear % kLanes][f.linear % kLanes];
  return stamp;
}

bool Block::ordered(const Stamp& earlier) const {
  const Fiber& f = *current_;
  if (earlier.block != static_cast<uint32_t>(linear_)) return false;
  if (earlier.interval < interval_) return true;
  if (earlier.thread / kLanes != f.linear / kLanes) return false;
  return warps_[f.linear / kLanes].clock[f.linear % kLanes][earlier.thread % kLanes] >= earlier.clock;
}

// ---- order ----

struct Schedule {
  Order order = Order::Forward;
  uint64_t seed = 0;
};

Schedule schedule_of_environment() {
  const char* const asked = std::getenv("AVS_EMULATION_ORDER");
  const std::string name = asked == nullptr ? "forward" : asked;
  if (name == "reverse") return {Order::Reverse, 0};
  if (name.starts_with("shuffled")) return {Order::Shuffled, name.size() > 9 ? std::stoull(name.substr(9)) : 1};
  AVS_CHECK(UsageError, name == "forward", "AVS_EMULATION_ORDER is '", name,
            "': expected forward, reverse or shuffled:SEED");
  return {};
}
Schedule& schedule() {
  static Schedule chosen = schedule_of_environment();
  return chosen;
}

void check_shape(const Launch& launch) {
  const uint64_t threads = launch.block.count();
  AVS_CHECK(Finding, threads >= 1 && threads <= kMaxThreads, "kernel ", launch.kernel, ": a block of ", threads,
            " threads; a device runs 1 to ", kMaxThreads);
  AVS_CHECK(Finding, launch.grid.count() >= 1 && launch.grid.y <= 65535 && launch.grid.z <= 65535, "kernel ",
            launch.kernel, ": a grid of ", text(launch.grid), " blocks; x is at least 1, y and z are 1 to 65535");
}

}  // namespace

void set_order(Order order, uint64_t seed) { schedule() = {order, seed}; }

void run(const Launch& launch) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  check_shape(launch);
  const Schedule how = schedule();
  Rng rng(how.seed);
  const uint64_t blocks = launch.grid.count();
  std::vector<uint64_t> turn(blocks);
  std::iota(turn.begin(), turn.end(), uint64_t{0});
  if (how.order == Order::Reverse) std::ranges::reverse(turn);
  if (how.order == Order::Shuffled) rng.shuffle(turn);
  Block block(launch);
  running = &block;
  for (const uint64_t b : turn) {
    const Extent g = launch.grid;
    block.run(
        {static_cast<unsigned>(b % g.x), static_cast<unsigned>(b / g.x % g.y), static_cast<unsigned>(b / g.x / g.y)}, b,
        rng, how.order);
    if (!block.finding.empty()) break;
  }
  running = nullptr;
  if (!block.finding.empty()) throw Finding(block.finding);
}

bool ordered_before_now(const Stamp& earlier) { return running->ordered(earlier); }

// ---- functions that kernels call ----

const Index& index() { return running->current()->index; }
void* dynamic_shared() { return shared::dynamic(); }

bool in_kernel() { return running != nullptr && running->current() != nullptr; }
bool on_stack(const void* address) {
  const auto* p = static_cast<const std::byte*>(address);
  return p >= stacks() && p < stacks() + kStackBytes * kMaxThreads;
}
bool is_parameter(const void* address) {
  const auto* p = static_cast<const std::byte*>(address);
  const auto* begin = static_cast<const std::byte*>(running->launch().parameters.get());
  const auto* index = reinterpret_cast<const std::byte*>(&running->current()->index);
  return (p >= begin && p < begin + running->launch().parameter_bytes) || (p >= index && p < index + sizeof(Index));
}
Stamp stamp_now() { return running->now(); }

void report(const std::string& what, const std::string& place) {
  const Aside aside;
  const Fiber& f = *running->current();
  running->finding = str("kernel ", running->launch().kernel, ", ", from_root(place), ", block ", text(f.index.block),
                         ", thread ", text(f.index.thread), ": ", what);
  running->leave();
}

void broken_rule(const char* what, const char* file, int line) {
  const Aside aside;
  report(what, str(file, ":", line));
}

void block_barrier(const char* file, int line) {
  const Aside aside;
  Fiber& f = *running->current();
  f.state = FiberState::AtBarrier;
  f.file = file;
  f.line = line;
  running->leave();
}

namespace {

Warp& collective(uint32_t mask, Collective kind, const void* data, size_t bytes, const char* file, int line) {
  Fiber& f = *running->current();
  if ((mask >> (f.linear % kLanes) & 1u) == 0)
    report(str("calls a warp primitive with mask ", std::hex, mask, " that does not name its own lane"),
           str(file, ":", std::dec, line));
  f.state = FiberState::InWarp;
  f.collective = kind;
  f.mask = mask;
  f.file = file;
  f.line = line;
  f.deposit = data;
  f.deposit_bytes = bytes;
  running->leave();
  return running->warp_of(*running->current());
}

uint32_t lanes_that_exist() {
  const Fiber& f = *running->current();
  const uint64_t left = running->launch().block.count() - f.linear / kLanes * kLanes;
  return left >= kLanes ? kAllLanes : (1u << left) - 1;
}

}  // namespace

void warp_barrier(uint32_t mask, const char* file, int line) {
  const Aside aside;
  collective(mask & lanes_that_exist(), Collective::Barrier, nullptr, 0, file, line);
}

uint64_t shuffle_bits(uint32_t mask, uint64_t value, Shuffle kind, int argument, int width, const char* file,
                      int line) {
  const Aside aside;
  const auto lane = static_cast<int>(running->current()->linear % kLanes);
  const int base = lane / width * width, within = lane - base;
  int source = within;
  if (kind == Shuffle::Index) source = argument & (width - 1);
  if (kind == Shuffle::Up && within - argument >= 0) source = within - argument;
  if (kind == Shuffle::Down && within + argument < width) source = within + argument;
  if (kind == Shuffle::Xor && (within ^ argument) < width) source = within ^ argument;
  const uint32_t lanes = mask & lanes_that_exist();
  Warp& warp = collective(lanes, Collective::Shuffle, &value, sizeof(value), file, line);
  if ((lanes >> (base + source) & 1u) == 0)
    report(str("a shuffle reads lane ", base + source, ", which is not in the mask ", std::hex, mask, std::dec,
               lanes == mask ? "" : " or does not exist"),
           str(file, ":", line));
  uint64_t result = 0;
  std::memcpy(&result, warp.deposits[base + source], sizeof(result));
  return result;
}

uint32_t ballot(uint32_t mask, bool predicate, const char* file, int line) {
  const Aside aside;
  const uint32_t lanes = mask & lanes_that_exist();
  Warp& warp = collective(lanes, Collective::Vote, &predicate, sizeof(predicate), file, line);
  uint32_t votes = 0;
  for (unsigned lane = 0; lane < kLanes; ++lane)
    if ((lanes >> lane & 1u) != 0 && warp.deposits[lane][0] != std::byte{0}) votes |= 1u << lane;
  return votes;
}

const std::byte* gather(const void* data, size_t bytes, const char* file, int line) {
  const Aside aside;
  return collective(lanes_that_exist(), Collective::Matrix, data, bytes, file, line).deposits[0];
}

}  // namespace avs::emulation
