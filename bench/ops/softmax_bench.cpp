// Softmax over ten classes: a batch, and all test clips of the paper.
#include "bench/bench.h"
#include "tensor/ops/softmax.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device", "rows", "channels"});
  for (const int64_t device : bench::devices())
    for (const auto& [rows, c] : {std::pair{48, 10}, {3645, 10}, {8646, 10}}) bench->Args({device, rows, c});
}

template <typename Work>
void bench_softmax(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  if (!bench::usable(device)) return state.SkipWithError("no such device");
  const Shape shape{state.range(1), state.range(2)};
  const Tensor x = bench::random_tensor(shape, device), dy = bench::random_tensor(shape, device);
  bench::run(state, device, [&] { return work(x, dy); });
  bench::report_bandwidth(state, static_cast<size_t>(tensors_moved * static_cast<double>(shape.size() * 4)), device);
}

void softmax_forward(benchmark::State& state) {
  bench_softmax(state, 2, [](const Tensor& x, const Tensor&) { return ops::softmax(x); });
}
void log_softmax_forward(benchmark::State& state) {
  bench_softmax(state, 2, [](const Tensor& x, const Tensor&) { return ops::log_softmax(x); });
}
void log_softmax_backward(benchmark::State& state) {
  bench_softmax(state, 3, [](const Tensor& x, const Tensor& dy) { return ops::log_softmax_backward(x, dy); });
}

BENCHMARK(softmax_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(log_softmax_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(log_softmax_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
