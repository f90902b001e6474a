// Every program that reads or writes files, on the smallest data it accepts.
#pragma once

#include <string>
#include <vector>

#include "tests/faults/harness/process.h"
#include "tests/faults/harness/tree.h"

namespace avs::faults {

// One command and its starting folder, as text: ./run faults iterates over this table.
struct Scenario {
  std::string name;                     // "evaluate"; if a program has several: "prepare, over an old cache"
  std::string command;                  // paths are relative to the trial's folder
  std::vector<std::string> needs = {};  // parts of the stage: files, or folders that end with '/'
  // Files that it may replace and folders (ending with '/') that it works in; all other files are the user's.
  std::vector<std::string> results = {};
  bool prints_result = false;  // stdout is a result too
  std::string tells = {};      // text on stdout after exit 0: a file was left out; the same command makes it
  // Commands that made earlier files; also "cp A B", "rm A", and "write A" for a user's file.
  std::vector<std::string> earlier = {};
  std::string reader = {};  // a command that must not be misled by a killed run's files
};

const std::vector<Scenario>& scenarios();

// A scenario prepared in one workplace (some files contain absolute paths, so each workplace prepares its own).
struct Prepared {
  const Scenario* scenario = nullptr;
  Tree before, after;                   // before and after an undisturbed run
  std::string out;                      // its output
  std::vector<std::string> calls;       // the shim's log of it
  std::string read_before, read_after;  // the reader's output
};

// The common files: a data set of ten clips, its cache, two backbones, embeddings, all fusions, published weights.
Tree make_stage(const Workplace& place);
Prepared prepare_scenario(const Workplace& place, const Tree& stage, const Scenario& scenario);

}  // namespace avs::faults
