// Pinned host memory between host and device, so that copies do not block the host.
//
// A copy from pageable memory makes the driver wait for all earlier work of the stream. The small values that a step
// writes to the device (learning rate, random state, mixup's plan) go through slots of pinned memory, used in turn; an
// event tells when a slot is free, normally long before the slot's next use.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "cuda/runtime.h"
#include "tensor/no_copy.h"

namespace avs::cuda {

class PinnedMemory : NoCopy {
 public:
  explicit PinnedMemory(size_t bytes);  // DeviceError if the system has none
  ~PinnedMemory();
  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
};

enum class Timing : uint8_t { Off, On };

class Event : NoCopy {
 public:
  explicit Event(Timing timing = Timing::Off);
  ~Event();

  void record(cudaStream_t stream);                      // marks all work submitted to the stream so far
  void hold_back(cudaStream_t stream);                   // makes later work on the stream wait for the event
  void wait();                                           // blocks the host
  float milliseconds_since(const Event& earlier) const;  // both with Timing::On, recorded and reached

 private:
  cudaEvent_t event_ = nullptr;
};

class Staging {
 public:
  // Copies `bytes` from the host, which may overwrite them at once. Returns false and copies nothing if they exceed a
  // slot, or if the stream captures: a captured copy would read the slot's later contents at every replay.
  bool copy(void* data, const void* host, size_t bytes, cudaStream_t stream);

 private:
  static constexpr size_t kSlotBytes = 16 * 1024, kSlots = 64;
  struct Slots {
    PinnedMemory memory{kSlots * kSlotBytes};
    std::array<Event, kSlots> free;
  };
  std::mutex mutex_;
  std::unique_ptr<Slots> slots_;  // made at the first copy
  size_t next_ = 0;
};

}  // namespace avs::cuda
