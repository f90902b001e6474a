// The global average pools of the three networks.
#include "bench/bench.h"
#include "tensor/ops/global_avg_pool.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device", "n", "h", "w", "channels"});
  for (const int64_t device : bench::devices()) {
    bench::add_sizes(bench, device, {16, 5, 5, 2048});
    bench::add_sizes(bench, device, {16, 7, 7, 768});
    bench::add_sizes(bench, device, {8, 4, 22, 1024});
  }
}

template <typename Work>
void bench_pool(benchmark::State& state, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Tensor x = bench::random_tensor({state.range(1), state.range(2), state.range(3), state.range(4)}, device);
  const Tensor dy = bench::random_tensor({state.range(1), state.range(4)}, device);
  bench::run(state, device, [&] { return work(x, dy); });
  bench::report_bandwidth(state, x.bytes() + dy.bytes(), device);
}

void global_avg_pool_forward(benchmark::State& state) {
  bench_pool(state, [](const Tensor& x, const Tensor&) { return ops::global_avg_pool(x); });
}
void global_avg_pool_backward(benchmark::State& state) {
  bench_pool(state, [](const Tensor& x, const Tensor& dy) { return ops::global_avg_pool_backward(x.shape(), dy); });
}

BENCHMARK(global_avg_pool_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(global_avg_pool_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
