// Chooses the faults: the table, and the calls of a program that each applies to.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tests/faults/harness/scenarios.h"

namespace avs::faults {

enum class Expect : uint8_t {
  Death,    // the process dies; running the same command again must end as if nothing had happened
  Answer,   // success, or exit 1 with one message that names the file
  Success,  // success
};

struct Fault {
  Operation operation;
  Action action;
  int value;
  const char* name;
  Expect expect;
};
std::span<const Fault> faults();

// "data/*.mp4", "new/*.clip"; "new/*.clip ~" for a file that is not renamed yet.
std::string path_class(const std::string& path);

struct Trial {
  const Fault* fault;
  int64_t number;            // number of the call
  std::string path_class;    // class of the call's file; "-" for memory and threads
  std::string name() const;  // "rename kill"
  std::string text() const;  // "rename kill 3", the argument of --trial
};

// Up to `each` calls per fault and class of paths (4 `each` for memory): the first, the last, others drawn by `seed`.
std::vector<Trial> choose_trials(const Prepared& prepared, int64_t each, uint64_t seed);
Trial trial_from(const std::string& text);

}  // namespace avs::faults
