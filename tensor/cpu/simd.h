// Explicit vectors for the few kernels whose speed depends on what stays in registers. Everything else is a plain loop
// in an AVS_SIMD function.
//
// Vec<16> is a 64-byte vector and Vec<1> a float; operators compute on them (a GCC extension), so a kernel is one
// template over the vector length. It must be AVS_INLINE and be instantiated in functions that are each compiled for
// one instruction set:
//   AVS_AVX512 void rows_avx512(const Job& job) { rows<16>(job); }
//   AVS_AVX2 void rows_avx2(const Job& job) { rows<8>(job); }
//   void rows_any(const Job& job) { rows<4>(job); }
//   void rows(const Job& job) { for_this_machine(rows_avx512, rows_avx2, rows_any)(job); }
#pragma once

#include <cstdint>
#include <cstring>

#define AVS_INLINE inline __attribute__((always_inline))
#if defined(__x86_64__)
#define AVS_AVX512 __attribute__((target("arch=x86-64-v4")))
#define AVS_AVX2 __attribute__((target("arch=x86-64-v3")))
#else
#define AVS_AVX512
#define AVS_AVX2
#endif

namespace avs::cpu {

template <int Lanes>
struct VecOf {
  typedef float type __attribute__((vector_size(Lanes * sizeof(float))));
};
template <>
struct VecOf<1> {
  typedef float type;
};
template <int Lanes>
using Vec = typename VecOf<Lanes>::type;

// Passed by reference: returning a vector by value would use a different calling convention in each instruction set.
template <typename V>
AVS_INLINE void load(V& v, const float* from) {
  std::memcpy(&v, from, sizeof(V));
}
template <typename V>
AVS_INLINE void store(float* to, const V& v) {
  std::memcpy(to, &v, sizeof(V));
}

enum class InstructionSet : uint8_t { Any, Avx2, Avx512 };

// The best instruction set of this machine. The environment variable AVS_ISA=avx2 or AVS_ISA=any selects a lesser one,
// so that one machine can test every path.
InstructionSet instruction_set();

template <typename Function>
Function for_this_machine(Function avx512, Function avx2, Function any) {
  switch (instruction_set()) {
    case InstructionSet::Avx512: return avx512;
    case InstructionSet::Avx2: return avx2;
    case InstructionSet::Any: break;
  }
  return any;
}

}  // namespace avs::cpu
