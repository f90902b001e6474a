// Where a program's words go: errors and logs to stderr, results to stdout, and nothing that a terminal would obey to
// either (models/printable.h).
#pragma once

#include <memory>
#include <streambuf>
#include <string_view>

namespace avs {

// Opens /dev/null for each of descriptors 0 to 2 that is closed: the next file opened would take its number, and what
// is printed would be written into that file.
void open_standard_streams();

void say(std::string_view message);  // one message on stderr, as message_for_people() has it

// Sends logs to stderr as a Program does, for programs whose command line is another library's (spdlog takes stdout).
void log_to_stderr();

// While one lives, std::cout passes through printable_lines(); JSON stays JSON. A failed write sets std::cout's badbit,
// at the latest when it is flushed.
class PrintableStdout {
 public:
  PrintableStdout();
  ~PrintableStdout();
  PrintableStdout(const PrintableStdout&) = delete;
  PrintableStdout& operator=(const PrintableStdout&) = delete;

 private:
  std::streambuf* before_;
  std::unique_ptr<std::streambuf> filter_;
};

}  // namespace avs
