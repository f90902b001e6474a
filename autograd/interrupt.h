// How a long computation is told to end early: somebody (a signal handler) sets the flag, and every layer and every
// node of a backward pass asks for it, so that a step of half a minute ends within one op.
#pragma once

#include <atomic>
#include <utility>

#include "tensor/error.h"

namespace avs {

struct Interrupted : Error {
  using Error::Error;
};

inline std::atomic<bool> interrupt_requested{false};

// While one lives, this thread goes on to the end: what must happen whole or not at all (capturing a training step).
class Uninterrupted {
 public:
  Uninterrupted() : before_(std::exchange(now_, true)) {}
  ~Uninterrupted() { now_ = before_; }
  Uninterrupted(const Uninterrupted&) = delete;
  Uninterrupted& operator=(const Uninterrupted&) = delete;
  static bool now() { return now_; }

 private:
  static inline thread_local bool now_ = false;
  bool before_;
};

inline void stop_if_interrupted() {
  if (!Uninterrupted::now() && interrupt_requested.load(std::memory_order_relaxed)) throw Interrupted("interrupted");
}

}  // namespace avs
