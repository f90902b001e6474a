// While an object exists, the first Ctrl-C, SIGTERM or SIGHUP (terminal closed) sets autograd/interrupt.h's flag, and
// the second one ends the process. An ignored SIGHUP (nohup) stays ignored.
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
  struct sigaction before_[3] = {};  // previous handlers of kSignals
};

}  // namespace avs
