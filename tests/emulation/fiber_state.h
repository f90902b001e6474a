// The scheduler's (machine.cpp) state of one CUDA thread, and the functions that the instrumentation's hooks
// (hooks.cpp) use.
#pragma once

#include <string>

#include "tests/emulation/machine.h"
#include "tests/emulation/shadow.h"

namespace avs::emulation {

enum class FiberState : uint8_t { Ready, AtBarrier, InWarp, Done };
enum class Collective : uint8_t { None, Barrier, Shuffle, Vote, Matrix };

struct Fiber {
  FiberState state = FiberState::Ready;
  Collective collective = Collective::None;
  uint32_t mask = 0;
  unsigned linear = 0;  // thread index in the block, x fastest
  Index index;
  const char* file = "";  // source line at which it waits
  int line = 0;
  const void* deposit = nullptr;
  size_t deposit_bytes = 0;
  void* context = nullptr;
};

// While one exists, accesses belong to the emulation and not to the kernel. (The program shares inline functions of the
// standard library that a kernel's file instruments.)
class Aside {
 public:
  Aside() : before_(active) { active = true; }
  ~Aside() { active = before_; }
  Aside(const Aside&) = delete;
  Aside& operator=(const Aside&) = delete;
  static inline thread_local bool active = false;

 private:
  bool before_;
};

bool in_kernel();                        // on this host thread, now
bool on_stack(const void* address);      // is it a local variable of a fiber?
bool is_parameter(const void* address);  // is it a kernel parameter, threadIdx or the like?
Stamp stamp_now();
void report(const std::string& what, const std::string& place);  // ends the kernel: does not return

}  // namespace avs::emulation
