// One fault: an action at the N-th call of an operation inside the trial's folder. The shim (shim/shim.cpp), preloaded
// into the program, reads it from the environment; the harness names it in tables.
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
  Page,         // access to a page of a mapped file
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
  List,         // no fault: log every call
  KillBefore,   // SIGKILL before the call
  KillHalfway,  // SIGKILL after half of the bytes are written
  KillAfter,    // SIGKILL after the call
  PowerCut,     // SIGKILL after the call (before, for a flush); files lose bytes that were not flushed to disk
  Signal,       // a signal that programs may catch
  Fail,         // this call returns an error
  FailOnwards,  // this call and every later one return an error
  Short,        // half of the bytes are read or written
  Overtake,     // stop the process until another one has run the same command
  Unreadable,   // SIGBUS on access to the page
};

// The environment: "OPERATION ACTION VALUE N", all numbers. VALUE is an errno, a signal, or the page (0 first, 1 last).
inline constexpr const char* kFaultVariable = "AVS_FAULT";
inline constexpr const char* kFolderVariable = "AVS_FAULT_FOLDER";  // absolute; only files below it are affected
inline constexpr const char* kLogVariable = "AVS_FAULT_LOG";

// Lines of the log: "call OPERATION PATH", "count OPERATION N" (allocations, at the end), "hit OPERATION PATH",
// "asked LIBRARY" (its allocation was refused), "crash SIGNAL LIBRARY+OFFSET".

}  // namespace avs::faults
