// One fault: at the N-th call of an operation inside the trial's folder, an action. The shim (shim/shim.cpp), preloaded
// into the program under trial, reads it from the environment; the harness names it in tables.
#pragma once

#include <cstdint>
#include <iterator>

namespace avs::faults {

enum class Operation : uint8_t {
  OpenToRead,
  OpenToWrite,
  Read,
  Write,
  Sync,
  Close,
  Rename,
  Unlink,
  MakeFolder,
  Map,
  Page,         // a page of a mapped file, read later
  Memory,       // an allocation of any size
  LargeMemory,  // an allocation of kLargeBytes or more
  Thread,
};
inline constexpr const char* kOperationNames[] = {"open-to-read", "open-to-write", "read",  "write", "fsync", "close",
                                                  "rename",       "unlink",        "mkdir", "mmap",  "page",  "malloc",
                                                  "large-malloc", "pthread_create"};
inline constexpr int kOperations = std::size(kOperationNames);
inline constexpr unsigned long kLargeBytes = 4096;

enum class Action : uint8_t {
  List,         // nothing: every call is written to the log
  KillBefore,   // SIGKILL; the call is not made
  KillHalfway,  // SIGKILL when half of the bytes are written
  KillAfter,    // SIGKILL when the call is done
  PowerCut,     // SIGKILL when the call is done (a flush is not), and files lose what was not flushed to disk
  Signal,       // a signal that a program may catch
  Fail,         // this call returns an error
  FailOnwards,  // this call and every later one return an error
  Short,        // half of the bytes are read or written
  Overtake,     // the process stops until another one has run the same command
  Unreadable,   // SIGBUS when the page is touched
};

// The environment: "OPERATION ACTION VALUE N", numbers all; VALUE is an errno, a signal, or which page (0 first, 1
// last).
inline constexpr const char* kFaultVariable = "AVS_FAULT";
inline constexpr const char* kFolderVariable = "AVS_FAULT_FOLDER";  // absolute; only files below it are disturbed
inline constexpr const char* kLogVariable = "AVS_FAULT_LOG";

// Lines of the log: "call OPERATION PATH", "count OPERATION N" (of allocations, at the end), "hit OPERATION PATH",
// "asked LIBRARY" (whose allocation was refused), "crash SIGNAL LIBRARY+OFFSET".

}  // namespace avs::faults
