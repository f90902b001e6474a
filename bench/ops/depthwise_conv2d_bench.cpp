// ConvNeXt-Tiny's 7x7 depthwise convolutions at 16 images of 224x224: GFLOP/s against a matrix product, GB/s against a
// copy that moves the input and the output once. The first two stages are near both bounds.
#include "bench/bench.h"
#include "tensor/ops/depthwise_conv2d.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device", "side", "channels"});
  for (const int64_t device : bench::devices())
    for (const auto& [side, c] : {std::pair{56, 96}, {28, 192}, {14, 384}, {7, 768}})
      bench::add_sizes(bench, device, {side, c});
}

template <typename Work>
void bench_layer(benchmark::State& state, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const int64_t side = state.range(1), c = state.range(2);
  const Tensor x = bench::random_tensor({16, side, side, c}, device), w = bench::random_tensor({7, 7, c}, device);
  bench::run(state, device, [&] { return work(x, w); });
  bench::report_bandwidth(state, 2 * x.bytes(), device);
  bench::report_flops(state, 2.0 * 49 * static_cast<double>(x.size()), device);
}

void depthwise_conv2d_forward(benchmark::State& state) {
  bench_layer(state, [](const Tensor& x, const Tensor& w) { return ops::depthwise_conv2d(x, w, {}, Padding::all(3)); });
}
void depthwise_conv2d_backward_input(benchmark::State& state) {
  bench_layer(state, [](const Tensor& x, const Tensor& w) {
    return ops::depthwise_conv2d_backward_input(x.shape(), w, x, Padding::all(3));
  });
}
void depthwise_conv2d_backward_filter(benchmark::State& state) {
  bench_layer(state, [](const Tensor& x, const Tensor& w) {
    return ops::depthwise_conv2d_backward_filter(x, w.shape(), x, Padding::all(3));
  });
}

BENCHMARK(depthwise_conv2d_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(depthwise_conv2d_backward_input)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(depthwise_conv2d_backward_filter)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace avs
