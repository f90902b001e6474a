// One trial: a command with a fault. Checks the promises of docs/reliability.md.
#pragma once

#include "tests/faults/harness/matrix.h"

namespace avs::faults {

enum class Outcome : uint8_t {
  Died,       // killed by the fault, or ended by its signal
  Stopped,    // exit 1, one message
  WentOn,     // success, with the results of an undisturbed run
  InLibrary,  // a library crashed after a refused allocation
  Unreached,  // this run made no such call
  Broken,     // a promise was broken
};
inline constexpr const char* kOutcomeNames[] = {"died", "stopped", "went on", "in a library", "not reached", "broken"};

struct Result {
  Outcome outcome = Outcome::Broken;
  std::string complaint;  // describes the broken promise
  std::string library;    // the library that crashed
};

// Unless the trial succeeded, runs the same command once more without a fault.
Result run_trial(const Workplace& place, const Prepared& prepared, const Trial& trial);

}  // namespace avs::faults
