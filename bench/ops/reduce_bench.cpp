// Bias gradients of ConvNeXt-Tiny's wide layers at 16 images, and sums over all of a network's parameters.
#include "bench/bench.h"
#include "tensor/ops/reduce.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{16 * 56 * 56, 384}, {16 * 14 * 14, 1536}, {16 * 7 * 7, 3072}, {22000, 1000}});
}

void sum_rows(benchmark::State& state) {
  bench::run_on_rows(state, 1, [](const Tensor& x, const Tensor&) { return ops::sum_rows(x); });
}
void sum_squares(benchmark::State& state) {
  bench::run_on_rows(state, 1, [](const Tensor& x, const Tensor&) { return ops::sum_squares(x); });
}
void first_non_finite(benchmark::State& state) {
  bench::run_on_rows(state, 1, [](const Tensor& x, const Tensor&) { return ops::first_non_finite(x); });
}

BENCHMARK(sum_rows)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(sum_squares)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(first_non_finite)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
