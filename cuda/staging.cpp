#include "cuda/staging.h"

#include <cstring>

namespace avs::cuda {

PinnedMemory::PinnedMemory(size_t bytes) {
  void* data = nullptr;
  check(cudaMallocHost(&data, bytes), "pinning host memory");
  data_ = static_cast<std::byte*>(data);
}
PinnedMemory::~PinnedMemory() { cudaFreeHost(data_); }

Event::Event(Timing timing) {
  const unsigned flags = timing == Timing::On ? cudaEventDefault : cudaEventDisableTiming;
  check(cudaEventCreateWithFlags(&event_, flags), "making an event");
}
Event::~Event() { cudaEventDestroy(event_); }
void Event::record(cudaStream_t stream) { check(cudaEventRecord(event_, stream), "recording an event"); }
void Event::hold_back(cudaStream_t stream) { check(cudaStreamWaitEvent(stream, event_, 0), "waiting for an event"); }
float Event::milliseconds_since(const Event& earlier) const {
  float milliseconds = 0;
  check(cudaEventElapsedTime(&milliseconds, earlier.event_, event_), "the time between two events");
  return milliseconds;
}
void Event::wait() { check(cudaEventSynchronize(event_), "waiting for the device"); }

bool Staging::copy(void* data, const void* host, size_t bytes, cudaStream_t stream) {
  if (bytes > kSlotBytes) return false;
  if (is_capturing(stream)) return false;
  const std::lock_guard lock(mutex_);
  if (slots_ == nullptr) slots_ = std::make_unique<Slots>();
  const size_t slot = next_++ % kSlots;
  std::byte* const pinned = slots_->memory.data() + slot * kSlotBytes;
  slots_->free[slot].wait();  // returns at once for an unused slot
  std::memcpy(pinned, host, bytes);
  check(cudaMemcpyAsync(data, pinned, bytes, cudaMemcpyHostToDevice, stream), "copying to the device");
  slots_->free[slot].record(stream);
  return true;
}

}  // namespace avs::cuda
