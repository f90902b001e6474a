// The shim: intercepts C library calls (LD_PRELOAD) and injects one fault (fault.h).
#include "tests/faults/shim/shim.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace avs::faults {

Plan plan;

namespace {

int log_descriptor = -1;
std::atomic<long> counts[kOperations];

__attribute__((constructor)) void read_plan() {
  const char *const fault = std::getenv(kFaultVariable), *const folder = std::getenv(kFolderVariable),
                    *const log = std::getenv(kLogVariable);
  if (fault == nullptr || folder == nullptr || log == nullptr) return;
  int action = 0;
  if (std::sscanf(fault, "%d %d %d %ld", &plan.operation, &action, &plan.value, &plan.number) != 4) return;
  plan.action = static_cast<Action>(action);
  std::snprintf(plan.folder, sizeof plan.folder, "%s", folder);
  const auto opened = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0644));
  log_descriptor = ::fcntl(opened, F_DUPFD_CLOEXEC, 700);  // a number that the program does not use
  ::syscall(SYS_close, opened);
  watch_crashes();
}

__attribute__((destructor)) void tell_counts() {
  for (const Operation operation : {Operation::Memory, Operation::LargeMemory}) {
    char number[32];
    std::snprintf(number, sizeof number, "%ld", counts[static_cast<int>(operation)].load());
    log_line("count", kOperationNames[static_cast<int>(operation)], number);
  }
}

}  // namespace

void log_line(const char* kind, const char* name, const char* rest) {
  if (log_descriptor < 0) return;
  char line[4608];
  const int length = std::snprintf(line, sizeof line, "%s %s %s\n", kind, name, rest);
  ::syscall(SYS_write, log_descriptor, line, length);
}

const char* within_folder(const char* path) {
  if (path[0] != '/') return path[0] == '\0' || std::strncmp(path, "..", 2) == 0 ? nullptr : path;
  const size_t length = std::strlen(plan.folder);
  if (std::strncmp(path, plan.folder, length) != 0) return nullptr;
  return path[length] == '/' ? path + length + 1 : path[length] == '\0' ? "." : nullptr;
}

const char* path_of(int descriptor, char (&buffer)[4096]) {
  char link[64];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t length = ::readlink(link, buffer, sizeof buffer - 1);
  buffer[length < 0 ? 0 : length] = '\0';
  return buffer[0] == '/' ? buffer : "";  // not "pipe:[1234]"
}

bool is_the_one(Operation operation, const char* path) {
  if (!plan.active) return false;
  const char* const inside = path == nullptr ? "-" : within_folder(path);
  if (inside == nullptr) return false;
  const int which = static_cast<int>(operation);
  const bool is_memory = operation == Operation::Memory || operation == Operation::LargeMemory;
  const long number = ++counts[which];
  if (plan.action == Action::List && !is_memory) log_line("call", kOperationNames[which], inside);
  if (plan.action == Action::List || which != plan.operation) return false;
  if (number == plan.number) {
    log_line("hit", kOperationNames[which], inside);
    if (is_memory) log_who_asked();
  }
  return number == plan.number || (plan.action == Action::FailOnwards && number > plan.number);
}

void die() {
  if (plan.action == Action::PowerCut) lose_what_was_not_flushed();
  ::syscall(SYS_kill, ::getpid(), SIGKILL);
  for (;;) ::pause();
}

namespace {

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// Makes `call` with the planned fault. A failing call returns -1 with errno set.
template <typename Call>
auto disturbed(Operation operation, const char* path, Call call) -> decltype(call()) {
  if (!is_the_one(operation, path)) return call();
  switch (plan.action) {
    case Action::KillBefore:
    case Action::KillHalfway: die();
    case Action::PowerCut:
      if (operation != Operation::Sync) call();
      die();
    case Action::KillAfter: call(); die();
    case Action::Fail:
    case Action::FailOnwards: errno = plan.value; return -1;
    case Action::Signal: ::kill(::getpid(), plan.value); return call();
    case Action::Overtake: ::kill(::getpid(), SIGSTOP); return call();
    default: return call();
  }
}

// call(bytes) reads or writes that many bytes.
template <typename Call>
ssize_t transferred(Operation operation, int descriptor, size_t bytes, Call call) {
  char buffer[4096];
  const char* const path = path_of(descriptor, buffer);
  if (path[0] == '\0') return call(bytes);  // no file
  return disturbed(operation, path, [&]() -> ssize_t { return call(bytes); });
}

bool halves(Operation operation) {
  return plan.operation == static_cast<int>(operation) &&
         (plan.action == Action::Short || plan.action == Action::KillHalfway);
}

template <typename Call>
ssize_t halved(Operation operation, int descriptor, size_t bytes, Call call) {
  char buffer[4096];
  const char* const path = path_of(descriptor, buffer);
  if (path[0] == '\0' || !is_the_one(operation, path)) return call(bytes);
  const ssize_t done = call(bytes > 1 ? bytes / 2 : bytes);
  if (plan.action == Action::KillHalfway) die();
  return done;
}

template <typename Call>
ssize_t transfer(Operation operation, int descriptor, size_t bytes, Call call) {
  if (!plan.active) return call(bytes);
  const ssize_t done =
      halves(operation) ? halved(operation, descriptor, bytes, call) : transferred(operation, descriptor, bytes, call);
  if (operation == Operation::Write && done > 0) note_written(descriptor);
  return done;
}

template <typename Call>
int opened(const char* path, int flags, Call call) {
  const bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
  const int descriptor = disturbed(writes ? Operation::OpenToWrite : Operation::OpenToRead, path, call);
  note_opened(descriptor, flags);
  return descriptor;
}

// The same mapping, but the first or last page raises SIGBUS: it lies beyond the end of an empty file.
void* with_unreadable_page(void* pages, size_t bytes) {
  const auto empty = static_cast<int>(::syscall(SYS_memfd_create, "unreadable", 0));
  const size_t size = static_cast<size_t>(::sysconf(_SC_PAGESIZE)), last = (bytes - 1) / size * size;
  void* const place = static_cast<char*>(pages) + (plan.value == 0 ? 0 : last);
  ::syscall(SYS_mmap, place, size, PROT_READ, MAP_SHARED | MAP_FIXED, empty, 0);
  ::syscall(SYS_close, empty);
  return pages;
}

bool memory_is_refused(size_t bytes) {
  if (!plan.active) return false;
  const bool any = is_the_one(Operation::Memory, nullptr);
  const bool large = bytes >= kLargeBytes && is_the_one(Operation::LargeMemory, nullptr);
  if (any || large) errno = ENOMEM;
  return any || large;
}

}  // namespace
}  // namespace avs::faults

using namespace avs::faults;

extern "C" {

// ---- files ------------------------------------------------------------------

#define AVS_OPEN(NAME)                                                   \
  int NAME(const char* path, int flags, ...) {                           \
    static const auto real = next<int(const char*, int, ...)>(#NAME);    \
    va_list rest;                                                        \
    va_start(rest, flags);                                               \
    const mode_t mode = va_arg(rest, mode_t);                            \
    va_end(rest);                                                        \
    return opened(path, flags, [&] { return real(path, flags, mode); }); \
  }
AVS_OPEN(open)
AVS_OPEN(open64)

#define AVS_OPENAT(NAME)                                                              \
  int NAME(int folder, const char* path, int flags, ...) {                            \
    static const auto real = next<int(int, const char*, int, ...)>(#NAME);            \
    va_list rest;                                                                     \
    va_start(rest, flags);                                                            \
    const mode_t mode = va_arg(rest, mode_t);                                         \
    va_end(rest);                                                                     \
    if (folder != AT_FDCWD && path[0] != '/') return real(folder, path, flags, mode); \
    return opened(path, flags, [&] { return real(folder, path, flags, mode); });      \
  }
AVS_OPENAT(openat)
AVS_OPENAT(openat64)

#define AVS_FOPEN(NAME)                                                                            \
  FILE* NAME(const char* path, const char* mode) {                                                 \
    static const auto real = next<FILE*(const char*, const char*)>(#NAME);                         \
    FILE* file = nullptr;                                                                          \
    const int flags = std::strpbrk(mode, "wa+") == nullptr ? O_RDONLY                              \
                      : mode[0] == 'w'                     ? O_WRONLY | O_CREAT | O_TRUNC          \
                                                           : O_WRONLY | O_CREAT;                                       \
    opened(path, flags, [&] { return (file = real(path, mode)) == nullptr ? -1 : fileno(file); }); \
    return file;                                                                                   \
  }
AVS_FOPEN(fopen)
AVS_FOPEN(fopen64)

ssize_t read(int descriptor, void* data, size_t bytes) {
  static const auto real = next<ssize_t(int, void*, size_t)>("read");
  return transfer(Operation::Read, descriptor, bytes, [&](size_t n) { return real(descriptor, data, n); });
}
#define AVS_PREAD(NAME)                                                                                               \
  ssize_t NAME(int descriptor, void* data, size_t bytes, off_t offset) {                                              \
    static const auto real = next<ssize_t(int, void*, size_t, off_t)>(#NAME);                                         \
    return transfer(Operation::Read, descriptor, bytes, [&](size_t n) { return real(descriptor, data, n, offset); }); \
  }
AVS_PREAD(pread)
AVS_PREAD(pread64)

ssize_t write(int descriptor, const void* data, size_t bytes) {
  static const auto real = next<ssize_t(int, const void*, size_t)>("write");
  return transfer(Operation::Write, descriptor, bytes, [&](size_t n) { return real(descriptor, data, n); });
}
ssize_t writev(int descriptor, const struct iovec* parts, int count) {
  static const auto real = next<ssize_t(int, const struct iovec*, int)>("writev");
  return transfer(Operation::Write, descriptor, static_cast<size_t>(count),
                  [&](size_t n) { return real(descriptor, parts, static_cast<int>(n)); });
}

int fsync(int descriptor) {
  static const auto real = next<int(int)>("fsync");
  char buffer[4096];
  const int result = disturbed(Operation::Sync, path_of(descriptor, buffer), [&] { return real(descriptor); });
  if (result == 0) note_flushed(descriptor);
  return result;
}
int fdatasync(int descriptor) {
  static const auto real = next<int(int)>("fdatasync");
  char buffer[4096];
  const int result = disturbed(Operation::Sync, path_of(descriptor, buffer), [&] { return real(descriptor); });
  if (result == 0) note_flushed(descriptor);
  return result;
}

// A close that fails still closes.
int close(int descriptor) {
  static const auto real = next<int(int)>("close");
  char buffer[4096];
  const char* const path = plan.active ? path_of(descriptor, buffer) : "";
  if (path[0] == '\0') return real(descriptor);
  const bool fails = plan.action == Action::Fail || plan.action == Action::FailOnwards;
  if (fails && is_the_one(Operation::Close, path)) {
    real(descriptor);
    errno = plan.value;
    return -1;
  }
  return fails ? real(descriptor) : disturbed(Operation::Close, path, [&] { return real(descriptor); });
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = next<int(const char*, const char*)>("rename");
  return disturbed(Operation::Rename, to, [&] {
    const int result = real(from, to);
    if (result == 0) note_renamed(from, to);
    return result;
  });
}
int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  static const auto real = next<int(int, const char*, int, const char*, unsigned)>("renameat2");
  return disturbed(Operation::Rename, to, [&] {
    const int result = real(from_folder, from, to_folder, to, flags);
    if (result == 0) note_renamed(from, to);
    return result;
  });
}
int link(const char* from, const char* to) noexcept {
  static const auto real = next<int(const char*, const char*)>("link");
  return disturbed(Operation::Rename, to, [&] { return real(from, to); });
}
int unlink(const char* path) noexcept {
  static const auto real = next<int(const char*)>("unlink");
  return disturbed(Operation::Unlink, path, [&] { return real(path); });
}
int rmdir(const char* path) noexcept {
  static const auto real = next<int(const char*)>("rmdir");
  return disturbed(Operation::Unlink, path, [&] { return real(path); });
}
int remove(const char* path) noexcept {
  static const auto real = next<int(const char*)>("remove");
  return disturbed(Operation::Unlink, path, [&] { return real(path); });
}
int unlinkat(int folder, const char* path, int flags) noexcept {
  static const auto real = next<int(int, const char*, int)>("unlinkat");
  return disturbed(Operation::Unlink, path, [&] { return real(folder, path, flags); });
}
int mkdir(const char* path, mode_t mode) noexcept {
  static const auto real = next<int(const char*, mode_t)>("mkdir");
  return disturbed(Operation::MakeFolder, path, [&] { return real(path, mode); });
}

void* mmap(void* place, size_t bytes, int protection, int flags, int descriptor, off_t offset) noexcept {
  static const auto real = next<void*(void*, size_t, int, int, int, off_t)>("mmap");
  char buffer[4096];
  const char* const path = plan.active && descriptor >= 0 ? path_of(descriptor, buffer) : "";
  if (path[0] == '\0') return real(place, bytes, protection, flags, descriptor, offset);
  void* pages = MAP_FAILED;
  disturbed(Operation::Map, path, [&] {
    pages = real(place, bytes, protection, flags, descriptor, offset);
    return pages == MAP_FAILED ? -1 : 0;
  });
  if (pages == MAP_FAILED || !is_the_one(Operation::Page, path)) return pages;
  return with_unreadable_page(pages, bytes);
}

// ---- threads and memory -----------------------------------------------------

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*), void* value) noexcept {
  using Create = int(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto real = next<Create>("pthread_create");
  if (is_the_one(Operation::Thread, nullptr)) return plan.value;
  return real(thread, attributes, start, value);
}

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) noexcept { return memory_is_refused(bytes) ? nullptr : __libc_malloc(bytes); }
void* calloc(size_t count, size_t bytes) noexcept {
  return memory_is_refused(count * bytes) ? nullptr : __libc_calloc(count, bytes);
}
void* realloc(void* old, size_t bytes) noexcept {
  return memory_is_refused(bytes) ? nullptr : __libc_realloc(old, bytes);
}
void* memalign(size_t alignment, size_t bytes) noexcept {
  return memory_is_refused(bytes) ? nullptr : __libc_memalign(alignment, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) noexcept { return memalign(alignment, bytes); }
int posix_memalign(void** place, size_t alignment, size_t bytes) noexcept {
  void* const memory = memalign(alignment, bytes);
  if (memory == nullptr) return ENOMEM;
  *place = memory;
  return 0;
}

// Faults start with main: the loader and library initialisers are not tested.
int (*main_of_program)(int, char**, char**) = nullptr;
int main_under_trial(int count, char** words, char** environment) {
  plan.active = plan.operation >= 0;
  return main_of_program(count, words, environment);
}
int __libc_start_main(int (*main)(int, char**, char**), int count, char** words, void (*init)(), void (*fini)(),
                      void (*rtld_fini)(), void* stack_end) {
  using Start = int(int (*)(int, char**, char**), int, char**, void (*)(), void (*)(), void (*)(), void*);
  main_of_program = main;
  return next<Start>("__libc_start_main")(main_under_trial, count, words, init, fini, rtld_fini, stack_end);
}

}  // extern "C"
