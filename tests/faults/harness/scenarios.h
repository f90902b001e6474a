// Every program that reads or writes, on the smallest data it accepts.
#pragma once

#include <string>
#include <vector>

#include "tests/faults/harness/process.h"
#include "tests/faults/harness/tree.h"

namespace avs::faults {

// One command with the folder it starts from, as text: this table is what ./run faults goes through.
struct Scenario {
  std::string name;                     // "evaluate"; of several for one program: "prepare, over an old cache"
  std::string command;                  // paths are relative to the trial's folder
  std::vector<std::string> needs = {};  // of the stage: files, or folders that end with '/'
  // Files it may replace and folders (ending with '/') it works in; everything else is the user's.
  std::vector<std::string> results = {};
  bool prints_result = false;  // stdout is a result too
  std::string tells = {};      // on stdout after exit 0: a file was left out, and is made by the same command again
  // Commands that made what is there already; "cp A B"; "rm A"; "write A", a user's file.
  std::vector<std::string> earlier = {};
  std::string reader = {};  // a command that must not be misled by what a killed run left
};

const std::vector<Scenario>& scenarios();

// A scenario made ready in one workplace (absolute paths stand in some files, so every workplace makes its own).
struct Prepared {
  const Scenario* scenario = nullptr;
  Tree before, after;                   // of an undisturbed run
  std::string out;                      // what it printed
  std::vector<std::string> calls;       // the shim's log of it
  std::string read_before, read_after;  // what the reader printed
};

// The stage: a data set of ten clips, its cache, two backbones, embeddings, all fusions, published weights.
Tree make_stage(const Workplace& place);
Prepared prepare_scenario(const Workplace& place, const Tree& stage, const Scenario& scenario);

}  // namespace avs::faults
