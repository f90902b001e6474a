#include "apps/cli/interrupt.h"

#include <iterator>

namespace avs {
namespace {

// Async-signal-safe: sets an atomic flag and restores the default action for the next signal.
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
  for (size_t i = 0; i < std::size(kSignals); ++i) {
    sigaction(kSignals[i], nullptr, &before_[i]);
    if (kSignals[i] != SIGHUP || before_[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &ours, nullptr);
  }
}

InterruptSignals::~InterruptSignals() {
  for (size_t i = 0; i < std::size(kSignals); ++i) sigaction(kSignals[i], &before_[i], nullptr);
}

}  // namespace avs
