// Loops over several threads. Ranges are cut by size and thread count alone, so a result depends on neither timing nor
// which thread ran what; a reduction that must not depend on the thread count either cuts its own fixed blocks.
#pragma once

#include <cstdint>
#include <functional>

namespace avs {

int thread_count();
void set_thread_count(int threads);  // --threads; also the width of oneDNN's primitives

// body(first, last) over disjoint ranges that cover [0, n); ranges smaller than `grain` are not split further.
void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t first, int64_t last)>& body);

}  // namespace avs

// Compiles the function once per instruction set and picks at load time; the binary also starts on machines with
// neither AVX2 nor AVX-512. Loops inside should be plain, or `#pragma omp simd` where a float sum may be regrouped.
#if defined(__x86_64__) && !defined(AVS_SANITIZED)
#define AVS_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define AVS_SIMD
#endif
