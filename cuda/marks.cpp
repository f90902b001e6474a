// Events for time stamps, ranges for NVIDIA's profilers (contract: api.h).
#include <deque>

#include "cuda/api.h"
#include "cuda/staging.h"

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define AVS_NVTX 1
#endif

namespace avs::cuda {
namespace {

class StreamMarks final : public Marks {
 public:
  explicit StreamMarks(Device device) : stream_(stream(device)) { mark(); }

  void mark() override { events_.emplace_back(Timing::On).record(stream_); }

  std::vector<double> microseconds() override {
    events_.back().wait();
    std::vector<double> times;
    for (size_t i = 1; i < events_.size(); ++i)
      times.push_back(1e3 * static_cast<double>(events_[i].milliseconds_since(events_[0])));
    return times;
  }

 private:
  cudaStream_t stream_;
  std::deque<Event> events_;
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
