// ReLU on activations of InceptionV3 at 16 images and of the residual-inception at 8 spectrograms.
#include "bench/bench.h"
#include "tensor/ops/relu.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device", "rows", "channels"});
  for (const int64_t device : bench::devices())
    for (const auto& [rows, c] :
         {std::pair{16 * 109 * 109, 64}, {16 * 52 * 52, 192}, {16 * 5 * 5, 384}, {8 * 64 * 352, 128}})
      bench->Args({device, rows, c});
}

template <typename Work>
void bench_relu(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  if (!bench::usable(device)) return state.SkipWithError("no such device");
  const Shape shape{state.range(1), state.range(2)};
  const Tensor x = bench::random_tensor(shape, device), dy = bench::random_tensor(shape, device);
  bench::run(state, device, [&] { return work(x, dy); });
  bench::report_bandwidth(state, static_cast<size_t>(tensors_moved * static_cast<double>(shape.size() * 4)), device);
}

void relu_forward(benchmark::State& state) {
  bench_relu(state, 2, [](const Tensor& x, const Tensor&) { return ops::relu(x); });
}
void relu_backward(benchmark::State& state) {
  bench_relu(state, 3, [](const Tensor& x, const Tensor& dy) { return ops::relu_backward(x, dy); });
}

BENCHMARK(relu_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(relu_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
