// What every program of apps/ shares: its flags' frame, where its words go, and how it ends.
//
//   int main(int argc, char** argv) {
//     Program program("evaluate", "Accuracy of a trained classifier", "evaluate --fusion runs/f4 --embeddings all.st");
//     program.flags().add("--split", split, "train, val or test");
//     return program.run(argc, argv, [&] { ... });
//   }
//
// Exit codes: 0 done, 1 failed, 2 wrong usage. A failure is one clear message on stderr. Logs go to stderr (spdlog's
// default logger), results to stdout. --help ends with the examples; --version names the libraries; --config FILE.toml
// holds the same names as the flags, and flags win.
#pragma once

#include <functional>
#include <string>

#include "apps/cli/flags.h"

namespace avs {

class Program {
 public:
  // examples: one command line per line, without "./run".
  Program(const std::string& name, const std::string& description, const std::string& examples);

  Flags& flags() { return flags_; }

  // Parses, then calls body. A thrown UsageError is 2, any other exception 1.
  int run(int argc, char** argv, const std::function<void()>& body);

 private:
  std::string name_;
  Flags flags_;
};

// Where a Program's logs go, for programs whose command line is another library's: spdlog's own default is stdout.
void log_to_stderr();

// "avscene 0.1.0, oneDNN 3.2.0, libavformat 59.27.100, …": what results may depend on.
std::string library_versions();

}  // namespace avs
