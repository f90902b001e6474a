// Loops over several threads. Ranges depend only on size and thread count, so a result does not depend on timing. A
// reduction that must not depend on the thread count either uses its own fixed blocks.
#pragma once

#include <cstdint>
#include <functional>

namespace avs {

int thread_count();
void set_thread_count(int threads);  // option --threads; also the thread count of oneDNN's primitives

// Calls body(first, last) on disjoint ranges that cover [0, n); a range of `grain` or fewer is not split.
void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t first, int64_t last)>& body);

}  // namespace avs

// Compiles the function once per instruction set and selects at load time; the binary also runs on machines without
// AVX2 and AVX-512. Loops inside should be plain, or `#pragma omp simd` if a float sum may be reordered.
#if defined(__x86_64__) && !defined(AVS_SANITIZED)
#define AVS_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define AVS_SIMD
#endif
