// Makes reads fail like those of a failing disk. It replaces pread for the whole program: include it once.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace avs::test {

struct ReadFault {
  static inline int countdown = 0;  // reads until failure: the one that reaches 0 and all later ones fail; 0: off
  static inline int error = EIO;
  static inline bool has_failed = false;

  explicit ReadFault(int nth) { countdown = nth, has_failed = false; }
  ~ReadFault() { countdown = 0; }
};

}  // namespace avs::test

extern "C" ssize_t pread(int descriptor, void* to, size_t bytes, off_t offset) {
  using avs::test::ReadFault;
  if (ReadFault::countdown == 1) {
    ReadFault::has_failed = true;
    errno = ReadFault::error;
    return -1;
  }
  if (ReadFault::countdown > 1) --ReadFault::countdown;
  return syscall(SYS_pread64, descriptor, to, bytes, offset);
}
