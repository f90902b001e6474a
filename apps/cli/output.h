// Output of programs: errors and logs go to stderr, results to stdout; terminal control characters are escaped in both
// (models/printable.h).
#pragma once

#include <memory>
#include <streambuf>
#include <string_view>

#include "tensor/no_copy.h"

namespace avs {

// Opens /dev/null for those of descriptors 0 to 2 that are closed. Otherwise the next file opened would get such a
// number, and output would be written into it.
void open_standard_streams();

void say(std::string_view message);  // writes message_for_people() as a line to stderr

// Sends logs to stderr, for programs that do not use Program (spdlog's default is stdout).
void log_to_stderr();

// While an object exists, std::cout passes through printable_lines(), which leaves JSON unchanged. A failed write sets
// std::cout's badbit, at the latest at a flush.
class PrintableStdout : NoCopy {
 public:
  PrintableStdout();
  ~PrintableStdout();

 private:
  std::streambuf* before_;
  std::unique_ptr<std::streambuf> filter_;
};

}  // namespace avs
