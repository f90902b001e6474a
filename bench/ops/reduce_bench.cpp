// Bias gradients of ConvNeXt-Tiny's wide layers at 16 images, and sums over all of a network's parameters.
#include "bench/bench.h"
#include "tensor/ops/reduce.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device", "rows", "channels"});
  for (const int64_t device : bench::devices())
    for (const auto& [rows, c] :
         {std::pair{16 * 56 * 56, 384}, {16 * 14 * 14, 1536}, {16 * 7 * 7, 3072}, {22000, 1000}})
      bench->Args({device, rows, c});
}

template <typename Work>
void bench_reduce(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  if (!bench::usable(device)) return state.SkipWithError("no such device");
  const Shape shape{state.range(1), state.range(2)};
  const Tensor x = bench::random_tensor(shape, device);
  bench::run(state, device, [&] { return work(x); });
  bench::report_bandwidth(state, static_cast<size_t>(tensors_moved * static_cast<double>(shape.size() * 4)), device);
}

void sum_rows(benchmark::State& state) {
  bench_reduce(state, 1, [](const Tensor& x) { return ops::sum_rows(x); });
}
void sum_squares(benchmark::State& state) {
  bench_reduce(state, 1, [](const Tensor& x) { return ops::sum_squares(x); });
}
void first_non_finite(benchmark::State& state) {
  bench_reduce(state, 1, [](const Tensor& x) { return ops::first_non_finite(x); });
}

BENCHMARK(sum_rows)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(sum_squares)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(first_non_finite)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
