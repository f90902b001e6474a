// Pinned host memory between the engine and the device, so that copies need no waiting host.
//
// A copy from ordinary memory makes the driver wait for all that the stream was given before. What a step writes to the
// device (learning rate, random state, mixup's plan) is a few bytes: these go through slots of pinned memory, used one
// after the other; an event tells when a slot is free again, which it is long before its turn comes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "cuda/runtime.h"

namespace avs::cuda {

class PinnedMemory {
 public:
  explicit PinnedMemory(size_t bytes);  // DeviceError when the system has none
  ~PinnedMemory();
  PinnedMemory(const PinnedMemory&) = delete;
  PinnedMemory& operator=(const PinnedMemory&) = delete;
  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
};

enum class Timing : uint8_t { Off, On };

class Event {
 public:
  explicit Event(Timing timing = Timing::Off);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(cudaStream_t on);                          // after all that the stream was given so far
  void hold_back(cudaStream_t stream);                   // what the stream is given from now on waits for it
  void wait();                                           // the host does
  float milliseconds_since(const Event& earlier) const;  // both with Timing::On, recorded and reached

 private:
  cudaEvent_t event_ = nullptr;
};

class Staging {
 public:
  // Copies `bytes` from the host, which may change them at once. false, nothing done: they are too many for a slot, or
  // the stream captures, where a copy from the host would be repeated at every replay with whatever the slot then
  // holds.
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
