#include "tensor/context.h"

#include <cstdlib>
#include <cstring>
#include <iomanip>
#include <map>
#include <mutex>
#include <vector>

#include "cuda/api.h"
#include "tensor/error.h"

namespace avs {
namespace {

constexpr size_t kAlignment = 64;  // one cache line, and the widest vector register

// Sizes are rounded up so that blocks of nearly the same size are interchangeable: at most an eighth is wasted.
size_t rounded(size_t bytes) {
  if (bytes <= 4096) return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  size_t step = 512;
  while (step * 16 < bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

class CpuContext final : public Context {
 public:
  Device device() const override { return kCpu; }

  void* allocate(size_t bytes) override {
    const size_t size = rounded(bytes == 0 ? 1 : bytes);
    const std::lock_guard lock(mutex_);
    if (const auto it = cache_.find(size); it != cache_.end() && !it->second.empty()) {
      void* data = it->second.back();
      it->second.pop_back();
      stats_.cached_bytes -= size;
      return count(data, size);
    }
    if (stats_.limit_bytes != 0 && stats_.live_bytes + stats_.cached_bytes + size > stats_.limit_bytes) release();
    AVS_CHECK(OutOfMemory, stats_.limit_bytes == 0 || stats_.live_bytes + size <= stats_.limit_bytes,
              "cpu: ", size, " bytes asked, ", stats_.live_bytes, " in use, the memory limit is ", stats_.limit_bytes,
              "; a smaller --batch needs less");
    void* data = std::aligned_alloc(kAlignment, size);
    if (data == nullptr) {
      release();
      data = std::aligned_alloc(kAlignment, size);
    }
    AVS_CHECK(OutOfMemory, data != nullptr, "cpu: the system has no ", size, " bytes left, ", stats_.live_bytes,
              " in use; a smaller --batch needs less");
    return count(data, size);
  }

  void deallocate(void* data, size_t bytes) noexcept override {
    const size_t size = rounded(bytes == 0 ? 1 : bytes);
    const std::lock_guard lock(mutex_);
    stats_.live_bytes -= size;
    stats_.cached_bytes += size;
    cache_[size].push_back(data);
  }

  void copy_to_host(void* host, const void* data, size_t bytes) override { std::memcpy(host, data, bytes); }
  void copy_from_host(void* data, const void* host, size_t bytes) override { std::memcpy(data, host, bytes); }
  void fill_zero(void* data, size_t bytes) override { std::memset(data, 0, bytes); }
  void synchronize() override {}

  MemoryStats memory() const override {
    const std::lock_guard lock(mutex_);
    return stats_;
  }
  void set_memory_limit(size_t bytes) override {
    const std::lock_guard lock(mutex_);
    stats_.limit_bytes = bytes;
  }
  void reset_peak() override {
    const std::lock_guard lock(mutex_);
    stats_.peak_bytes = stats_.live_bytes;
  }
  void release_cached() noexcept override {
    const std::lock_guard lock(mutex_);
    release();
  }

 private:
  void* count(void* data, size_t size) {
    stats_.live_bytes += size;
    if (stats_.live_bytes > stats_.peak_bytes) stats_.peak_bytes = stats_.live_bytes;
    return data;
  }

  void release() noexcept {
    for (auto& [size, blocks] : cache_) {
      for (void* block : blocks) std::free(block);
      blocks.clear();
    }
    stats_.cached_bytes = 0;
  }

  mutable std::mutex mutex_;
  std::map<size_t, std::vector<void*>> cache_;
  MemoryStats stats_;
};

}  // namespace

std::ostream& operator<<(std::ostream& out, const MemoryStats& memory) {
  const auto mb = [](size_t bytes) { return static_cast<double>(bytes) / 1e6; };
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << "live " << mb(memory.live_bytes) << " MB, peak " << mb(memory.peak_bytes)
       << " MB, cached " << mb(memory.cached_bytes) << " MB";
  if (memory.limit_bytes != 0) text << ", limit " << mb(memory.limit_bytes) << " MB";
  return out << text.str();
}

Context& context(Device device) {
  if (device.is_cuda()) return cuda::context(device);
  // Never destroyed: tensors in static storage may outlive every other static.
  static auto* const cpu = new CpuContext;
  return *cpu;
}

}  // namespace avs
