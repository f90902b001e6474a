// Which faults are injected: the table, and the calls of a program that it meets.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tests/faults/harness/scenarios.h"

namespace avs::faults {

enum class Expect : uint8_t {
  Death,    // the process is gone; the same command again ends as if nothing had happened
  Answer,   // done all the same, or exit 1 with one message that names the file
  Success,  // done all the same
};

struct Fault {
  Operation operation;
  Action action;
  int value;
  const char* name;
  Expect expect;
};
std::span<const Fault> faults();

// "data/*.mp4", "new/*.clip", and "new/*.clip ~" for a file that has not got its name yet.
std::string path_class(const std::string& path);

struct Trial {
  const Fault* fault;
  int64_t number;            // of the call
  std::string path_class;    // of its file; "-" for memory and threads
  std::string name() const;  // "rename kill"
  std::string text() const;  // "rename kill 3": what --trial takes
};

// Up to `each` calls of every fault and class of paths: the first, the last, others by `seed`. For memory, 4 `each`.
std::vector<Trial> choose_trials(const Prepared& prepared, int64_t each, uint64_t seed);
Trial trial_from(const std::string& text);

}  // namespace avs::faults
