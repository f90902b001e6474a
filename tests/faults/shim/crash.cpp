// Finds the code that crashed or whose allocation was refused: the first object on the stack that is no runtime
// library.
#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>

#include <cstdio>
#include <cstring>

#include "tests/faults/shim/shim.h"

namespace avs::faults {
namespace {

constexpr int kDeepest = 64;

bool is_runtime(const char* file) {
  for (const char* const name :
       {"libc.so", "libstdc++.so", "libgcc_s.so", "libavs_fault_shim", "ld-linux", "linux-vdso"})
    if (std::strstr(file, name) != nullptr) return true;
  return false;
}

const char* last_part(const char* path) {
  const char* const slash = std::strrchr(path, '/');
  return slash == nullptr ? path : slash + 1;
}

// "libdnnl.so.3+0x12ab"
void describe_stack(char* text, size_t size) {
  void* frames[kDeepest];
  const int depth = ::backtrace(frames, kDeepest);
  std::snprintf(text, size, "unknown+0x0");
  for (int i = 0; i < depth; ++i) {
    Dl_info where;
    if (::dladdr(frames[i], &where) == 0 || where.dli_fname == nullptr || is_runtime(where.dli_fname)) continue;
    const auto offset = static_cast<char*>(frames[i]) - static_cast<char*>(where.dli_fbase);
    std::snprintf(text, size, "%s+0x%lx", last_part(where.dli_fname), static_cast<unsigned long>(offset));
    return;
  }
}

void on_crash(int signal) {
  char where[256], number[16];
  describe_stack(where, sizeof where);
  std::snprintf(number, sizeof number, "%d", signal);
  log_line("crash", number, where);
  ::raise(signal);  // default action now: SA_RESETHAND
}

}  // namespace

void watch_crashes() {
  void* frames[2];
  ::backtrace(frames, 2);  // the first call loads libgcc and allocates
  struct sigaction action = {};
  action.sa_handler = on_crash;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) ::sigaction(signal, &action, nullptr);
}

void log_who_asked() {
  char where[256];
  describe_stack(where, sizeof where);
  log_line("asked", where, "");
}

}  // namespace avs::faults
