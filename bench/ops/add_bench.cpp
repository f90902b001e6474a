// Sums of activations: the residuals of ConvNeXt-Tiny at 16 images and of the residual-inception at 8 spectrograms.
#include "bench/bench.h"
#include "tensor/ops/add.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{16 * 56 * 56, 96}, {16 * 14 * 14, 384}, {16 * 7 * 7, 768}, {8 * 64 * 352, 128}});
}

void add_forward(benchmark::State& state) {
  bench::run_on_rows(state, 3, [](const Tensor& a, const Tensor& b) { return ops::add(a, b); });
}
void add_into(benchmark::State& state) {
  bench::run_on_rows(state, 3, [](Tensor a, const Tensor& b) {
    ops::add_into(a, b);
    return a;
  });
}

BENCHMARK(add_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(add_into)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
