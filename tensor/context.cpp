#include "tensor/context.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <map>
#include <mutex>
#include <new>
#include <utility>

#include "cuda/api.h"
#include "tensor/cpu/region.h"
#include "tensor/error.h"
#include "tensor/holders.h"

namespace avs {
namespace {

constexpr size_t kAlignment = 64;          // one cache line, and the widest vector register
constexpr size_t kSmallBytes = 64 * 1024;  // up to here blocks are cached by exact size; larger ones live in a Region

#ifdef AVS_SANITIZED
constexpr bool kUseRegion = false;  // AddressSanitizer has to see every tensor as an allocation of its own
#else
constexpr bool kUseRegion = true;
#endif

size_t rounded(size_t bytes) {
  const size_t step = bytes > kSmallBytes ? cpu::Region::kGranule : kAlignment;
  return (std::max<size_t>(bytes, 1) + step - 1) / step * step;
}

size_t physical_bytes() {
  return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
}

// A freed small block holds the next one of its size: giving memory back needs none.
struct FreeBlock {
  FreeBlock* next;
};

class CpuContext final : public Context {
 public:
  Device device() const override { return kCpu; }

  void* allocate(size_t bytes) override {
    const size_t size = rounded(bytes);
    const std::lock_guard lock(mutex_);
    if (void* data = from_cache(size); data != nullptr) return count(data, size);
    if (limit_ != 0 && live_ + cached() + size > limit_) release();
    AVS_CHECK(OutOfMemory, limit_ == 0 || live_ + size <= limit_, "cpu: ", size, " bytes asked, ", live_,
              " in use, the memory limit is ", limit_, "; a smaller --batch needs less");
    void* data = fresh(size);
    if (data == nullptr) {
      release();
      data = fresh(size);
    }
    AVS_CHECK(OutOfMemory, data != nullptr, "cpu: the system has no ", size, " bytes left, ", live_,
              " in use; a smaller --batch needs less");
    return count(data, size);
  }

  void deallocate(void* data, size_t bytes) noexcept override {
    const size_t size = rounded(bytes);
    const std::lock_guard lock(mutex_);
    live_ -= size;
    if (in_region(size)) return region_.deallocate(data, size);
    small_bytes_ += size;
    FreeBlock*& first = small_.find(size)->second;  // made when the block was allocated
    first = new (data) FreeBlock{first};
  }

  void copy_to_host(void* host, const void* data, size_t bytes) override { std::memcpy(host, data, bytes); }
  void copy_from_host(void* data, const void* host, size_t bytes) override { std::memcpy(data, host, bytes); }
  void copy_on_device(void* to, const void* from, size_t bytes) override { std::memcpy(to, from, bytes); }
  void fill_zero(void* data, size_t bytes) override { std::memset(data, 0, bytes); }
  void synchronize() override {}

  MemoryStats memory() const override {
    const std::lock_guard lock(mutex_);
    return {live_, peak_, cached(), limit_};
  }
  void set_memory_limit(size_t bytes) override {
    const std::lock_guard lock(mutex_);
    limit_ = bytes;
  }
  void reset_peak() override {
    const std::lock_guard lock(mutex_);
    peak_ = live_;
  }
  void release_cached() noexcept override {
    const std::lock_guard lock(mutex_);
    release();
  }

 private:
  bool in_region(size_t size) const { return kUseRegion && size > kSmallBytes && region_.capacity() > 0; }
  size_t cached() const { return small_bytes_ + region_.cached_bytes(); }

  void* from_cache(size_t size) {
    if (in_region(size)) return size <= region_.cached_bytes() ? region_.allocate_cached(size) : nullptr;
    FreeBlock*& first = small_[size];
    if (first == nullptr) return nullptr;
    void* const data = first;
    first = first->next;
    small_bytes_ -= size;
    return data;
  }
  void* fresh(size_t size) { return in_region(size) ? region_.allocate(size) : std::aligned_alloc(kAlignment, size); }

  void* count(void* data, size_t size) {
    live_ += size;
    peak_ = std::max(peak_, live_);
    return data;
  }

  void release() noexcept {
    for (auto& [size, first] : small_)
      while (first != nullptr) std::free(std::exchange(first, first->next));
    small_bytes_ = 0;
    region_.release_cached();
  }

  mutable std::mutex mutex_;
  std::map<size_t, FreeBlock*> small_;  // by size
  cpu::Region region_{kUseRegion ? physical_bytes() : 0};
  size_t live_ = 0, peak_ = 0, small_bytes_ = 0, limit_ = 0;
};

}  // namespace

std::ostream& operator<<(std::ostream& out, const MemoryStats& memory) {
  const auto mb = [](size_t bytes) { return static_cast<double>(bytes) / 1e6; };
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << "live " << mb(memory.live_bytes) << " MB, peak "
       << mb(memory.peak_bytes) << " MB, cached " << mb(memory.cached_bytes) << " MB";
  if (memory.limit_bytes != 0) text << ", limit " << mb(memory.limit_bytes) << " MB";
  return out << text.str();
}

Context& context(Device device) {
  if (device.is_cuda()) return cuda::context(device);
  // Never destroyed: tensors in static storage may outlive every other static.
  static auto* const cpu = new CpuContext;
  return *cpu;
}

size_t taken_bytes(Device device, size_t bytes) { return device.is_cuda() ? cuda::taken_bytes(bytes) : rounded(bytes); }

size_t room(Device device) {
  const size_t limit = context(device).memory().limit_bytes;
  if (limit != 0) return limit;
  return device.is_cuda() ? cuda::room(device) : physical_bytes();
}

}  // namespace avs
