// The four shapes of GELU in ConvNeXt-Tiny at 16 images of 224x224.
#include "bench/bench.h"
#include "tensor/ops/gelu.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{16 * 56 * 56, 384}, {16 * 28 * 28, 768}, {16 * 14 * 14, 1536}, {16 * 7 * 7, 3072}});
}

void gelu_forward(benchmark::State& state) {
  bench::run_on_rows(state, 2, [](const Tensor& x, const Tensor&) { return ops::gelu(x); });
}
void gelu_backward(benchmark::State& state) {
  bench::run_on_rows(state, 3, [](const Tensor& x, const Tensor& dy) { return ops::gelu_backward(x, dy); });
}

BENCHMARK(gelu_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(gelu_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
