// ReLU on activations of InceptionV3 at 16 images and of the residual-inception at 8 spectrograms.
#include "bench/bench.h"
#include "tensor/ops/relu.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{16 * 109 * 109, 64}, {16 * 52 * 52, 192}, {16 * 5 * 5, 384}, {8 * 64 * 352, 128}});
}

void relu_forward(benchmark::State& state) {
  bench::run_on_rows(state, 2, [](const Tensor& x, const Tensor&) { return ops::relu(x); });
}
void relu_backward(benchmark::State& state) {
  bench::run_on_rows(state, 3, [](const Tensor& x, const Tensor& dy) { return ops::relu_backward(x, dy); });
}

BENCHMARK(relu_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(relu_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
