// Ctrl-C and SIGTERM as a request: while one lives, the first signal sets tensor/interrupt.h's flag, and the second one
// ends the process at once, as if nobody had listened.
#pragma once

#include <csignal>

#include "tensor/interrupt.h"

namespace avs {

class InterruptSignals {
 public:
  InterruptSignals();
  ~InterruptSignals();
  InterruptSignals(const InterruptSignals&) = delete;
  InterruptSignals& operator=(const InterruptSignals&) = delete;

 private:
  struct sigaction int_before_ = {}, term_before_ = {};
};

}  // namespace avs
