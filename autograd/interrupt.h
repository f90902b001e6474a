// Ends a long computation early: a signal handler sets the flag, and every layer and every node of a backward pass checks
// it, so that a step of half a minute ends within one op.
#pragma once

#include <atomic>

#include "tensor/error.h"
#include "tensor/no_copy.h"

namespace avs {

struct Interrupted : Error {
  using Error::Error;
};

inline std::atomic<bool> interrupt_requested{false};

// This thread ignores the flag while one lives: for work that must end whole, such as capturing a training step.
class Uninterrupted : NoCopy {
 public:
  static bool now() { return now_; }

 private:
  static inline thread_local bool now_ = false;
  Scoped<bool> scope_{now_, true};
};

inline void stop_if_interrupted() {
  if (!Uninterrupted::now() && interrupt_requested.load(std::memory_order_relaxed)) throw Interrupted("interrupted");
}

}  // namespace avs
