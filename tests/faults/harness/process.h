// Runs a program in a folder, undisturbed or with one fault.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/faults/fault.h"

namespace avs::faults {

struct Injection {
  Operation operation{};
  Action action{};
  int value = 0;
  int64_t number = 0;  // of the call, from 1
};

struct Ending {
  int code = -1, signal = 0;  // one of them
  bool timed_out = false;
  std::string out, err;
  std::vector<std::string> log;  // the shim's lines (fault.h)

  bool done() const { return signal == 0 && code == 0; }
  // What stands behind the first line of the log that begins with `kind`.
  std::optional<std::string> logged(const std::string& kind) const;
};

// A place to work: programs run in `folder` and find it as their working folder; `aside` takes what they print.
struct Workplace {
  std::filesystem::path folder, aside;
};

// command: "NAME ARGUMENT…", words separated by spaces. meanwhile: called when the program stopped for
// Action::Overtake.
Ending run(const Workplace& place, const std::string& command, const std::optional<Injection>& injection = std::nullopt,
           const std::function<void()>& meanwhile = {});

}  // namespace avs::faults
