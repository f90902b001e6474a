// The functions that the compiler's instrumentation calls. Kernels are compiled with -fsanitize=thread and parts of
// -fsanitize=undefined; this file replaces the sanitizers' runtimes (GCC's ABI: tsan_interface.h, ubsan_handlers.h), so
// that each access is checked as one of its CUDA thread, and a finding names the kernel's source line.
#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "tests/emulation/fiber_state.h"

extern "C" {
extern const char __executable_start, _end;  // from the linker: the program's image
}

namespace avs::emulation {
namespace {

// Returns "cuda/gelu.cu:33" for an address in the program, from its debug information.
std::string place_of(const void* return_address) {
  Dl_info info{};
  if (dladdr(return_address, &info) == 0 || info.dli_fname == nullptr) return "unknown place";
  const auto offset = static_cast<const char*>(return_address) - static_cast<const char*>(info.dli_fbase) - 1;
  static const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command = str("addr2line -e '", program, "' ", std::hex, "0x", offset, " 2>/dev/null");
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::array<char, 1024> line{};
  if (pipe == nullptr || std::fgets(line.data(), static_cast<int>(line.size()), pipe.get()) == nullptr)
    return "unknown place";
  std::string place(line.data());
  return place.substr(0, place.find_first_of(" \n"));
}

// True for constants of the program, such as tables of coefficients.
bool in_program(const void* address) {
  return address >= static_cast<const void*>(&__executable_start) && address < static_cast<const void*>(&_end);
}

void check_access(const void* address, size_t bytes, Access access, const void* return_address) {
  if (Aside::active || !in_kernel() || on_stack(address) || is_parameter(address)) return;
  const Aside aside;
  if (access == Access::Read && in_program(address)) return;
  const auto wrong = check(address, bytes, access, stamp_now());
  if (!wrong) return;
  const char* const does = access == Access::Read ? "reads " : access == Access::Write ? "writes " : "updates ";
  const bool race = wrong->starts_with("a race");
  report(race ? str(does, bytes, " bytes: ", *wrong) : str(does, *wrong), place_of(return_address));
}

}  // namespace

void atomic_access(const void* at, size_t bytes) {
  check_access(at, bytes, Access::Atomic, __builtin_return_address(0));
}

}  // namespace avs::emulation

using avs::emulation::Access;

#define AVS_HOOK(name, bytes, access) \
  void name(const void* at) { avs::emulation::check_access(at, bytes, access, __builtin_return_address(0)); }

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(const void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(const void**, const void*) {}
AVS_HOOK(__tsan_read1, 1, Access::Read)
AVS_HOOK(__tsan_read2, 2, Access::Read)
AVS_HOOK(__tsan_read4, 4, Access::Read)
AVS_HOOK(__tsan_read8, 8, Access::Read)
AVS_HOOK(__tsan_read16, 16, Access::Read)
AVS_HOOK(__tsan_write1, 1, Access::Write)
AVS_HOOK(__tsan_write2, 2, Access::Write)
AVS_HOOK(__tsan_write4, 4, Access::Write)
AVS_HOOK(__tsan_write8, 8, Access::Write)
AVS_HOOK(__tsan_write16, 16, Access::Write)
AVS_HOOK(__tsan_volatile_read4, 4, Access::Read)
AVS_HOOK(__tsan_volatile_write4, 4, Access::Write)
void __tsan_read_range(const void* at, size_t bytes) {
  if (bytes != 0) avs::emulation::check_access(at, bytes, Access::Read, __builtin_return_address(0));
}
void __tsan_write_range(const void* at, size_t bytes) {
  if (bytes != 0) avs::emulation::check_access(at, bytes, Access::Write, __builtin_return_address(0));
}

// Atomics of host code in .cu files (reference counts of shared_ptr): executed without a check.
#define AVS_ATOMICS(bits, type)                                                                                   \
  type __tsan_atomic##bits##_load(const volatile type* at, int) { return __atomic_load_n(at, __ATOMIC_SEQ_CST); } \
  void __tsan_atomic##bits##_store(volatile type* at, type v, int) { __atomic_store_n(at, v, __ATOMIC_SEQ_CST); } \
  type __tsan_atomic##bits##_fetch_add(volatile type* at, type v, int) {                                          \
    return __atomic_fetch_add(at, v, __ATOMIC_SEQ_CST);                                                           \
  }                                                                                                               \
  type __tsan_atomic##bits##_fetch_sub(volatile type* at, type v, int) {                                          \
    return __atomic_fetch_sub(at, v, __ATOMIC_SEQ_CST);                                                           \
  }                                                                                                               \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* at, type* was, type v, int, int) {             \
    return __atomic_compare_exchange_n(at, was, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);                    \
  }
AVS_ATOMICS(8, char)
AVS_ATOMICS(32, int)
AVS_ATOMICS(64, long)

// ---- undefined behaviour: the handlers' data begins with the source location ----

struct SourcePlace {
  const char* file;
  uint32_t line, column;
};
struct TypeMismatch {
  SourcePlace place;
  const void* type;
  uint8_t log_alignment, check_kind;
};

static void undefined(const SourcePlace& place, const std::string& what) {
  std::string file = place.file == nullptr ? "?" : place.file;
  for (const char* folder : {"/tests/", "/cuda/"})
    if (const size_t at = file.rfind(folder); at != std::string::npos) file = file.substr(at + 1);
  const std::string where = avs::str(file, ":", place.line);
  if (avs::emulation::in_kernel()) avs::emulation::report(what, where);
  throw avs::emulation::Finding(avs::str(where, ": ", what));  // host code of a .cu file
}

void __ubsan_handle_type_mismatch_v1(TypeMismatch* data, const void* pointer) {
  const avs::emulation::Aside aside;
  undefined(data->place, avs::str("misaligned access: an address that ends in 0x", std::hex,
                                  reinterpret_cast<uintptr_t>(pointer) & 0xff, " where a multiple of ", std::dec,
                                  1 << data->log_alignment, " bytes is needed"));
}
void __ubsan_handle_out_of_bounds(SourcePlace* data, const void* index) {
  const avs::emulation::Aside aside;
  undefined(*data, avs::str("index ", reinterpret_cast<intptr_t>(index), " is outside of the array"));
}
#define AVS_OVERFLOW(name, what)                           \
  void name(SourcePlace* data, const void*, const void*) { \
    const avs::emulation::Aside aside;                     \
    undefined(*data, "signed overflow in " what);          \
  }
AVS_OVERFLOW(__ubsan_handle_add_overflow, "an addition")
AVS_OVERFLOW(__ubsan_handle_sub_overflow, "a subtraction")
AVS_OVERFLOW(__ubsan_handle_mul_overflow, "a multiplication")
AVS_OVERFLOW(__ubsan_handle_divrem_overflow, "a division")
void __ubsan_handle_negate_overflow(SourcePlace* data, const void*) {
  const avs::emulation::Aside aside;
  undefined(*data, "signed overflow in a negation");
}

}  // extern "C"
