// Events for timelines, ranges for NVIDIA's profilers (contract: api.h).
#include "cuda/api.h"
#include "cuda/runtime.h"

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define AVS_NVTX 1
#endif

namespace avs::cuda {
namespace {

class Event {
 public:
  Event() { check(cudaEventCreateWithFlags(&event_, cudaEventDefault), "cudaEventCreateWithFlags"); }
  ~Event() {
    if (event_ != nullptr) cudaEventDestroy(event_);
  }
  Event(Event&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  Event& operator=(Event&&) = delete;
  cudaEvent_t get() const { return event_; }

 private:
  cudaEvent_t event_ = nullptr;
};

class StreamMarks final : public Marks {
 public:
  explicit StreamMarks(Device device) : stream_(stream(device)) { mark(); }

  void mark() override {
    events_.emplace_back();
    check(cudaEventRecord(events_.back().get(), stream_), "cudaEventRecord");
  }

  std::vector<double> microseconds() override {
    check(cudaEventSynchronize(events_.back().get()), "waiting for the device");
    std::vector<double> times;
    for (size_t i = 1; i < events_.size(); ++i) {
      float milliseconds = 0;
      check(cudaEventElapsedTime(&milliseconds, events_[0].get(), events_[i].get()), "cudaEventElapsedTime");
      times.push_back(1e3 * static_cast<double>(milliseconds));
    }
    return times;
  }

 private:
  cudaStream_t stream_;
  std::vector<Event> events_;
};

}  // namespace

std::unique_ptr<Marks> make_marks(Device device) { return std::make_unique<StreamMarks>(device); }

#ifdef AVS_NVTX
void push_range(const std::string& name) { nvtxRangePushA(name.c_str()); }
void pop_range() { nvtxRangePop(); }
#else
void push_range(const std::string&) {}
void pop_range() {}
#endif

}  // namespace avs::cuda
