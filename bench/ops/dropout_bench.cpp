// Dropout of the residual-inception's stages at 8 spectrograms, and of a head's 1024 features. Philox bounds it, not
// memory.
#include "bench/bench.h"
#include "tensor/ops/dropout.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{8 * 64 * 352, 64}, {8 * 32 * 176, 128}, {8 * 8 * 44, 512}, {16, 1024}});
}

template <typename Work>
void bench_dropout(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Shape shape{state.range(1), state.range(2)};
  const Tensor x = bench::random_tensor(shape, device), state_words = Tensor::zeros({4}, DType::I32, device);
  bench::run(state, device, [&] { return work(x, state_words); });
  bench::report_bandwidth(state, tensors_moved * static_cast<double>(shape.size() * 4), device);
}

void dropout_forward(benchmark::State& state) {
  bench_dropout(state, 2, [](const Tensor& x, const Tensor& s) { return ops::dropout(x, 0.2f, s, 1); });
}

BENCHMARK(dropout_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
