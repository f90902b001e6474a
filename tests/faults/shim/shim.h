// Parts of the shim. It runs in programs that are out of memory or about to die: no exceptions, no allocation, raw
// system calls.
#pragma once

#include <sys/types.h>

#include "tests/faults/fault.h"

namespace avs::faults {

struct Plan {
  int operation = -1;
  Action action = Action::List;
  int value = 0;
  long number = 0;
  bool active = false;
  char folder[4096] = {};
};
extern Plan plan;

// Writes one line to the log: "call read data/a.mp4".
void log_line(const char* kind, const char* name, const char* rest);

// `path` relative to the trial's folder, the programs' working folder; null: outside.
const char* within_folder(const char* path);
const char* path_of(int descriptor, char (&buffer)[4096]);

// Counts a call on `path` (null: no file, always counted); true for the call that gets the fault.
bool is_the_one(Operation operation, const char* path);

[[noreturn]] void die();

// ---- crash.cpp ----

void watch_crashes();
void log_who_asked();  // after a refused allocation: logs the first object on the stack that is no runtime library

// ---- power_cut.cpp: bytes of each file that are on disk ----

void note_opened(int descriptor, int flags);
void note_written(int descriptor);
void note_flushed(int descriptor);
void note_renamed(const char* from, const char* to);
void lose_what_was_not_flushed();

}  // namespace avs::faults
