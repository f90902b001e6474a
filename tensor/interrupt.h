// How a long computation is told to end early: somebody (a signal handler) sets the flag, and every layer and every
// node of a backward pass asks for it, so that a step of half a minute ends within one op.
#pragma once

#include <atomic>

#include "tensor/error.h"

namespace avs {

struct Interrupted : Error {
  using Error::Error;
};

inline std::atomic<bool> interrupt_requested{false};

inline void stop_if_interrupted() {
  if (interrupt_requested.load(std::memory_order_relaxed)) throw Interrupted("interrupted");
}

}  // namespace avs
