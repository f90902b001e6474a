// What every program of apps/ shares: its flags' frame, where its words go, and how it ends.
//
//   int main(int argc, char** argv) {
//     Program program("evaluate", "Accuracy of a trained classifier", "evaluate --fusion runs/f4 --embeddings all.st");
//     program.flags().add("--split", split, "train, val or test");
//     return program.run(argc, argv, [&] { ... });
//   }
//
// Exit codes: 0 done, 1 failed (results that cannot be written are a failure), 2 wrong usage. A failure is one clear
// message on stderr. Logs go to stderr (spdlog's default logger), results to stdout; neither shows raw what a terminal
// would obey (models/printable.h). --help ends with the examples; --version names the libraries; --config FILE.toml
// holds the same names as the flags, and flags win.
#pragma once

#include <functional>
#include <string>

#include "apps/cli/flags.h"
#include "apps/cli/output.h"

namespace avs {

class Program {
 public:
  // examples: one command line per line, without "./run".
  Program(const std::string& name, const std::string& description, const std::string& examples);

  Flags& flags() { return flags_; }

  // Parses, then calls body. A thrown UsageError is 2, any other exception 1.
  int run(int argc, char** argv, const std::function<void()>& body);

 private:
  int complain(const std::string& message, int code) const;
  int finished() const;  // flushes stdout

  PrintableStdout stdout_;
  std::string name_;
  Flags flags_;
};

// "avscene 0.1.0, oneDNN 3.2.0, libavformat 59.27.100, …": what results may depend on.
std::string library_versions();

}  // namespace avs
