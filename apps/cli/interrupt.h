// While an object exists, the first Ctrl-C, SIGTERM or SIGHUP (terminal closed) sets autograd/interrupt.h's flag, and
// the second one ends the process. An ignored SIGHUP (nohup) stays ignored.
#pragma once

#include <csignal>

#include "autograd/interrupt.h"
#include "tensor/no_copy.h"

namespace avs {

class InterruptSignals : NoCopy {
 public:
  InterruptSignals();
  ~InterruptSignals();

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction before_[3] = {};  // previous handlers of kSignals
};

}  // namespace avs
