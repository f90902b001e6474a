// Sums of activations: the residuals of ConvNeXt-Tiny at 16 images and of the residual-inception at 8 spectrograms.
#include "bench/bench.h"
#include "tensor/ops/add.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device", "rows", "channels"});
  for (const int64_t device : bench::devices())
    for (const auto& [rows, c] :
         {std::pair{16 * 56 * 56, 96}, {16 * 14 * 14, 384}, {16 * 7 * 7, 768}, {8 * 64 * 352, 128}})
      bench->Args({device, rows, c});
}

template <typename Work>
void bench_add(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  if (!bench::usable(device)) return state.SkipWithError("no such device");
  const Shape shape{state.range(1), state.range(2)};
  const Tensor x = bench::random_tensor(shape, device), dy = bench::random_tensor(shape, device);
  bench::run(state, device, [&] { return work(x, dy); });
  bench::report_bandwidth(state, static_cast<size_t>(tensors_moved * static_cast<double>(shape.size() * 4)), device);
}

void add_forward(benchmark::State& state) {
  bench_add(state, 3, [](const Tensor& a, const Tensor& b) { return ops::add(a, b); });
}
void add_into(benchmark::State& state) {
  bench_add(state, 3, [](Tensor a, const Tensor& b) {
    ops::add_into(a, b);
    return a;
  });
}

BENCHMARK(add_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(add_into)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
