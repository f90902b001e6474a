// Work that runs side by side. Between a fork and its join, what this thread asks of a device goes to the lane that it
// has entered. Every lane begins when all that was asked before the fork is done; what comes after the join waits for
// every lane; between lanes there is no order, so none may read what another writes. On a GPU each lane is a stream
// (cuda/side_streams.h), captured in a graph as parallel branches; the CPU does everything in the order of asking. The
// numbers are the same either way.
#pragma once

#include <cstdint>

#include "tensor/context.h"

namespace avs {

// Where a thread's work goes. fork 0: to no lane.
struct Lane {
  int64_t fork = 0;  // a number of its own for each fork
  int index = 0;
  Device device;
  bool operator==(const Lane&) const = default;
};
Lane current_lane();

class Lanes {
 public:
  // Forks. Nothing happens, here and below, where the device has no lanes, or a thread is inside of others there.
  explicit Lanes(Device device);
  ~Lanes();  // after an error: joins as well as it can
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  void enter(int lane);  // from 0 on
  void join();

 private:
  Context* forked_ = nullptr;
};

}  // namespace avs
