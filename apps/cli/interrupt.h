// Ctrl-C, SIGTERM and SIGHUP (the terminal was closed) as a request: while one lives, the first signal sets
// autograd/interrupt.h's flag, and the second one ends the process at once, as if nobody had listened. A SIGHUP that is
// ignored, as under nohup, stays ignored.
#pragma once

#include <csignal>

#include "autograd/interrupt.h"

namespace avs {

class InterruptSignals {
 public:
  InterruptSignals();
  ~InterruptSignals();
  InterruptSignals(const InterruptSignals&) = delete;
  InterruptSignals& operator=(const InterruptSignals&) = delete;

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction before_[3] = {};  // of kSignals
};

}  // namespace avs
