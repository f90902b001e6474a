// One trial: a command with a fault, and whether what is promised (docs/reliability.md) held.
#pragma once

#include "tests/faults/harness/matrix.h"

namespace avs::faults {

enum class Outcome : uint8_t {
  Died,       // killed as the fault wanted, or ended by the signal that was sent
  Stopped,    // exit 1, one message
  WentOn,     // done, with the results of an undisturbed run
  InLibrary,  // an allocation refused to a library that crashed over it
  Unreached,  // this run made no such call
  Broken,     // a promise did not hold
};
inline constexpr const char* kOutcomeNames[] = {"died", "stopped", "went on", "in a library", "not reached", "broken"};

struct Result {
  Outcome outcome = Outcome::Broken;
  std::string complaint;  // of a broken promise
  std::string library;    // that crashed
};

// After every trial the same command runs once more, undisturbed, unless the first had already ended well.
Result run_trial(const Workplace& place, const Prepared& prepared, const Trial& trial);

}  // namespace avs::faults
