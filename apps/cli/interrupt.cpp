#include "apps/cli/interrupt.h"

namespace avs {
namespace {

// Async-signal-safe: a lock-free store, and the next signal finds the default action.
extern "C" void request_interrupt(int signal) {
  interrupt_requested.store(true, std::memory_order_relaxed);
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  sigaction(signal, &standard, nullptr);
}

}  // namespace

InterruptSignals::InterruptSignals() {
  struct sigaction ours = {};
  ours.sa_handler = request_interrupt;
  sigaction(SIGINT, &ours, &int_before_);
  sigaction(SIGTERM, &ours, &term_before_);
}

InterruptSignals::~InterruptSignals() {
  sigaction(SIGINT, &int_before_, nullptr);
  sigaction(SIGTERM, &term_before_, nullptr);
}

}  // namespace avs
