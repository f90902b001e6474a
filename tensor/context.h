// Gives ops memory on a device. One Context per device, made on first use.
//
// Memory comes from a caching pool: freed blocks are kept and handed out again, because fresh pages are slow to touch for
// the first time (on virtual machines above all) and cudaMalloc waits for the device. See tensor/cpu/region.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>

#include "tensor/device.h"

namespace avs {

struct MemoryStats {
  size_t live_bytes = 0;    // handed out now
  size_t peak_bytes = 0;    // most ever handed out at once (since reset_peak)
  size_t cached_bytes = 0;  // freed, kept for the next request
  size_t limit_bytes = 0;   // 0: none
};
std::ostream& operator<<(std::ostream& out, const MemoryStats& memory);  // live 12.5 MB, peak 300.1 MB, cached …

class Context {
 public:
  virtual ~Context() = default;
  virtual Device device() const = 0;
  virtual void* allocate(size_t bytes) = 0;  // 64-byte aligned; OutOfMemory names what was asked and what is held
  virtual void deallocate(void* data, size_t bytes) noexcept = 0;
  virtual void copy_to_host(void* host, const void* data, size_t bytes) = 0;
  virtual void copy_from_host(void* data, const void* host, size_t bytes) = 0;
  virtual void copy_on_device(void* to, const void* from, size_t bytes) = 0;
  virtual void fill_zero(void* data, size_t bytes) = 0;
  virtual void synchronize() = 0;
  virtual MemoryStats memory() const = 0;
  virtual void set_memory_limit(size_t bytes) = 0;  // 0: none; live + cached bytes never pass it
  virtual void reset_peak() = 0;
  virtual void release_cached() noexcept = 0;
};

Context& context(Device device);

}  // namespace avs
