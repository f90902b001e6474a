#include "tensor/cpu/simd.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace avs::cpu {
namespace {

InstructionSet of_machine() {
#if defined(__x86_64__)
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512cd");
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
                    __builtin_cpu_supports("bmi2");
  if (avx2) return avx512 ? InstructionSet::Avx512 : InstructionSet::Avx2;
#endif
  return InstructionSet::Any;
}

InstructionSet asked_for() {
  const char* const name = std::getenv("AVS_ISA");
  if (name == nullptr) return InstructionSet::Avx512;
  return std::string_view(name) == "avx2"  ? InstructionSet::Avx2
         : std::string_view(name) == "any" ? InstructionSet::Any
                                           : InstructionSet::Avx512;
}

}  // namespace

InstructionSet instruction_set() {
  static const InstructionSet chosen = std::min(of_machine(), asked_for());
  return chosen;
}

}  // namespace avs::cpu
