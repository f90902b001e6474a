// InceptionV3's padded 3x3 average pools at 16 images of 224x224 and the residual-inception's 2x2 at 8 spectrograms.
#include "bench/bench.h"
#include "tensor/ops/avg_pool2d.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device", "n", "h", "w", "channels", "window"});
  for (const int64_t device : bench::devices()) {
    bench::add_sizes(bench, device, {16, 25, 25, 288, 3});
    bench::add_sizes(bench, device, {16, 12, 12, 768, 3});
    bench::add_sizes(bench, device, {16, 5, 5, 2048, 3});
    bench::add_sizes(bench, device, {8, 128, 704, 64, 2});
    bench::add_sizes(bench, device, {8, 32, 176, 256, 2});
  }
}

template <typename Work>
void bench_pool(benchmark::State& state, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Pool2dSpec spec = state.range(5) == 3 ? Pool2dSpec{3, 3, 1, 1, Padding::all(1)} : Pool2dSpec{};
  const Tensor x = bench::random_tensor({state.range(1), state.range(2), state.range(3), state.range(4)}, device);
  const Tensor dy = bench::random_tensor(ops::pool2d_shape(x.shape(), spec), device);
  bench::run(state, device, [&] { return work(x, dy, spec); });
  bench::report_bandwidth(state, x.bytes() + dy.bytes(), device);
}

void avg_pool2d_forward(benchmark::State& state) {
  bench_pool(state, [](const Tensor& x, const Tensor&, const Pool2dSpec& spec) {
    return ops::avg_pool2d(x, spec, PoolPadding::Ignored);
  });
}
void avg_pool2d_backward(benchmark::State& state) {
  bench_pool(state, [](const Tensor& x, const Tensor& dy, const Pool2dSpec& spec) {
    return ops::avg_pool2d_backward(x.shape(), dy, spec, PoolPadding::Ignored);
  });
}

BENCHMARK(avg_pool2d_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(avg_pool2d_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace avs
