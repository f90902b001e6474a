#include "tensor/lanes.h"

#include <atomic>
#include <utility>

namespace avs {
namespace {

thread_local Lane here;

}  // namespace

Lane current_lane() { return here; }

Lanes::Lanes(Device device) {
  if (here.fork != 0 || !context(device).fork()) return;
  forked_ = &context(device);
  static std::atomic<int64_t> forks = 0;
  here = {++forks, 0, device};
}

Lanes::~Lanes() {
  if (forked_ == nullptr) return;
  here = {};
  forked_->abandon_lanes();  // join() was not reached: an error is on its way
}

void Lanes::enter(int lane) {
  if (forked_ == nullptr) return;
  forked_->enter_lane(lane);
  here.index = lane;
}

void Lanes::join() {
  if (forked_ == nullptr) return;
  forked_->join_lanes();
  forked_ = nullptr;
  here = {};
}

}  // namespace avs
