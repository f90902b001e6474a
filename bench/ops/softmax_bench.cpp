// Softmax over ten classes: one batch, and all test clips of the paper.
#include "bench/bench.h"
#include "tensor/ops/softmax.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{48, 10}, {3645, 10}, {8646, 10}});
}

void softmax_forward(benchmark::State& state) {
  bench::run_on_rows(state, 2, [](const Tensor& x, const Tensor&) { return ops::softmax(x); });
}
BENCHMARK(softmax_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
