// The common frame of all programs in apps/: flags, output, exit codes.
//
//   int main(int argc, char** argv) {
//     Program program("evaluate", "Accuracy of a trained classifier", "evaluate --fusion runs/f4 --embeddings all.st");
//     program.flags().add("--split", split, "train, val or test");
//     return program.run(argc, argv, [&] { ... });
//   }
//
// Exit codes: 0 success, 1 failure (including results that cannot be written), 2 wrong usage. A failure prints one
// message to stderr. Logs go to stderr (spdlog's default logger), results to stdout; control characters are escaped
// (models/printable.h). --help ends with the examples; --version prints library versions; --config FILE.toml sets flags
// by name, and the command line overrides it.
#pragma once

#include <functional>
#include <string>

#include "apps/cli/flags.h"
#include "apps/cli/output.h"

namespace avs {

class Program {
 public:
  // examples: one command per line, without "./run".
  Program(const std::string& name, const std::string& description, const std::string& examples);

  Flags& flags() { return flags_; }

  // Parses, then calls body. Returns 2 for UsageError, 1 for other exceptions. `after_interrupt` is added to the message
  // of Interrupted: "the same command continues".
  int run(int argc, char** argv, const std::function<void()>& body, const std::string& after_interrupt = "");

 private:
  int complain(const std::string& message, int code) const;
  int finished() const;  // flushes stdout

  PrintableStdout stdout_;
  std::string name_;
  Flags flags_;
};

// "avscene 0.1.0, oneDNN 3.2.0, libavformat 59.27.100, …": versions that results may depend on.
std::string library_versions();

}  // namespace avs
