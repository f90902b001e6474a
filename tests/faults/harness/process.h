// Runs a program in a folder, with at most one fault.
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
  int64_t number = 0;  // number of the call, from 1
};

struct Ending {
  int code = -1, signal = 0;  // one of them is set
  bool timed_out = false;
  std::string out, err;
  std::vector<std::string> log;  // the shim's lines (fault.h)

  bool done() const { return signal == 0 && code == 0; }
  // The rest of the log's first line that begins with `kind`.
  std::optional<std::string> logged(const std::string& kind) const;
};

// `folder` is the programs' working folder; `aside` holds their output.
struct Workplace {
  std::filesystem::path folder, aside;
};

// command: "NAME ARGUMENT…", separated by spaces. meanwhile: called while the program is stopped by Action::Overtake.
Ending run(const Workplace& place, const std::string& command, const std::optional<Injection>& injection = std::nullopt,
           const std::function<void()>& meanwhile = {});

}  // namespace avs::faults
