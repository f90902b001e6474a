#include "cuda/side_streams.h"

#include <cstdlib>
#include <string>

namespace avs::cuda {
namespace {

bool wanted() {
  static const bool answer = [] {
    const char* const asked = std::getenv("AVS_SIDE_STREAMS");  // 0 selects one stream, for comparison
    return asked == nullptr || std::string(asked) != "0";
  }();
  return answer;
}

struct Inside {  // state of this thread
  const SideStreams* streams = nullptr;
  int side = -1;  // -1: the compute stream
};
thread_local Inside inside;

}  // namespace

bool SideStreams::fork(cudaStream_t compute) {
  if (!wanted()) return false;
  const std::lock_guard lock(mutex_);
  if (open_) return false;
  if (forked_ == nullptr) forked_ = std::make_unique<Event>();
  for (std::unique_ptr<Side>& side : sides_) {
    if (side != nullptr) continue;
    auto made = std::make_unique<Side>();
    check(cudaStreamCreateWithFlags(&made->stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    side = std::move(made);
  }
  forked_->record(compute);
  compute_ = compute;
  open_ = true;
  inside = {this, -1};
  arena_.open_lanes();
  return true;
}

void SideStreams::enter(int lane) {
  const int side = lane % (kSideStreams + 1) - 1;
  if (side >= 0) {
    Side& to = *sides_[static_cast<size_t>(side)];
    if (!to.used) forked_->hold_back(to.stream);
    to.used = true;
  }
  inside.side = side;
}

void SideStreams::join() {
  for (const std::unique_ptr<Side>& side : sides_) {
    if (!side->used) continue;
    side->done.record(side->stream);
    side->done.hold_back(compute_);
    side->used = false;
  }
  close();
}

void SideStreams::abandon() noexcept {
  for (int attempt = 0; attempt < 2; ++attempt) {  // the error may come from join() itself and not repeat
    try {
      return join();
    } catch (...) {
      continue;
    }
  }
  for (const std::unique_ptr<Side>& side : sides_) side->used = false;
  close();
}

void SideStreams::close() noexcept {
  arena_.close_lanes();
  inside = {};
  const std::lock_guard lock(mutex_);
  open_ = false;
}

cudaStream_t SideStreams::stream() const {
  return inside.streams == this && inside.side >= 0 ? sides_[static_cast<size_t>(inside.side)]->stream : nullptr;
}

int SideStreams::lane() const { return inside.streams == this ? inside.side + 1 : kNoLane; }

}  // namespace avs::cuda
