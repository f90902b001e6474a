// InceptionV3's 3x3 stride-2 max pools at 16 images of 224x224.
#include "bench/bench.h"
#include "tensor/ops/max_pool2d.h"

namespace avs {
namespace {

constexpr Pool2dSpec kPool{3, 3, 2, 2, {}};

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device", "side", "channels"});
  for (const int64_t device : bench::devices())
    for (const auto& [side, c] : {std::pair{109, 64}, {52, 192}, {25, 288}, {12, 768}})
      bench::add_sizes(bench, device, {side, c});
}

template <typename Work>
void bench_pool(benchmark::State& state, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Tensor x = bench::random_tensor({16, state.range(1), state.range(1), state.range(2)}, device);
  const Tensor dy = bench::random_tensor(ops::pool2d_shape(x.shape(), kPool), device);
  bench::run(state, device, [&] { return work(x, dy); });
}

void max_pool2d_forward(benchmark::State& state) {
  size_t bytes = 0;
  bench_pool(state, [&](const Tensor& x, const Tensor& dy) {
    bytes = x.bytes() + dy.bytes();
    return ops::max_pool2d(x, kPool);
  });
  bench::report_bandwidth(state, bytes, bench::device_of(state.range(0)));
}
void max_pool2d_backward(benchmark::State& state) {
  size_t bytes = 0;
  bench_pool(state, [&](const Tensor& x, const Tensor& dy) {
    bytes = 2 * x.bytes() + dy.bytes();
    return ops::max_pool2d_backward(x, dy, kPool);
  });
  bench::report_bandwidth(state, bytes, bench::device_of(state.range(0)));
}

BENCHMARK(max_pool2d_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(max_pool2d_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace avs
