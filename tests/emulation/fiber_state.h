// What the scheduler (machine.cpp) keeps of one CUDA thread, and what the instrumentation's hooks (hooks.cpp) ask of it.
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
  const char* file = "";  // where it waits
  int line = 0;
  const void* deposit = nullptr;
  size_t deposit_bytes = 0;
  void* context = nullptr;
};

// While one lives, accesses are the emulation's own and not the kernel's. (Inline functions of the standard library that
// a kernel's file instruments are shared with the rest of the program.)
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
bool on_stack(const void* address);      // a local variable of a fiber
bool is_parameter(const void* address);  // a kernel parameter, threadIdx and its like
Stamp stamp_now();
void report(const std::string& what, const std::string& place);  // ends the kernel: does not return

}  // namespace avs::emulation
