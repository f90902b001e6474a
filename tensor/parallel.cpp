#include "tensor/parallel.h"

#include <omp.h>

#include <algorithm>
#include <exception>
#include <thread>
#include <vector>

#include "tensor/error.h"

#ifdef __SANITIZE_THREAD__
// oneDNN runs on libgomp, whose barriers ThreadSanitizer cannot see: ordered writes of its threads look like races. The
// cost: a race of ours inside a oneDNN call is not reported. ThreadSanitizer looks this function up by name.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() { return "race:libdnnl.so\n"; }
#endif

namespace avs {

int thread_count() { return omp_get_max_threads(); }

void set_thread_count(int threads) {
  AVS_CHECK(UsageError, threads >= 1, "the thread count must be at least 1, got ", threads);
  omp_set_num_threads(threads);
}

void parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  if (n <= 0) return;
  const int64_t pieces =
      std::min<int64_t>(omp_in_parallel() ? 1 : thread_count(), std::max<int64_t>(1, n / std::max<int64_t>(1, grain)));
  if (pieces == 1) return body(0, n);
  std::vector<std::exception_ptr> errors(static_cast<size_t>(pieces));
  const auto piece = [&](int64_t i) {
    try {
      body(n * i / pieces, n * (i + 1) / pieces);
    } catch (...) {
      errors[static_cast<size_t>(i)] = std::current_exception();
    }
  };
#ifdef __SANITIZE_THREAD__
  std::vector<std::thread> threads;
  for (int64_t i = 1; i < pieces; ++i) threads.emplace_back(piece, i);
  piece(0);
  for (std::thread& t : threads) t.join();
#else
  const auto threads = static_cast<int>(pieces);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int64_t i = 0; i < pieces; ++i) piece(i);
#endif
  for (const std::exception_ptr& error : errors)
    if (error) std::rethrow_exception(error);
}

}  // namespace avs
