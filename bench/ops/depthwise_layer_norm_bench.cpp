// The first half of ConvNeXt-Tiny's blocks at 16 images of 224x224: fused, and as two ops.
#include "bench/bench.h"
#include "tensor/ops/depthwise_conv2d.h"
#include "tensor/ops/depthwise_layer_norm.h"
#include "tensor/ops/layer_norm.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device", "side", "channels"});
  for (const int64_t device : bench::devices())
    for (const auto& [side, c] : {std::pair{56, 96}, {28, 192}, {14, 384}, {7, 768}})
      bench::add_sizes(bench, device, {side, c});
}

struct Block {
  Tensor x, w, conv_bias, gain, bias;
};

template <typename Work>
void bench_block(benchmark::State& state, int64_t tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const int64_t side = state.range(1), c = state.range(2);
  const auto vector = [&] { return bench::random_tensor({c}, device); };
  const Block b{bench::random_tensor({16, side, side, c}, device), bench::random_tensor({7, 7, c}, device), vector(),
                vector(), vector()};
  bench::run(state, device, [&] { return work(b); });
  bench::report_bandwidth(state, tensors_moved * static_cast<double>(b.x.bytes()), device);
}

void depthwise_layer_norm_forward(benchmark::State& state) {
  bench_block(state, 3, [](const Block& b) {
    return ops::depthwise_layer_norm(b.x, b.w, b.conv_bias, b.gain, b.bias, Padding::all(3), 1e-6f);
  });
}
void depthwise_then_layer_norm_forward(benchmark::State& state) {
  bench_block(state, 3, [](const Block& b) {
    return ops::layer_norm(ops::depthwise_conv2d(b.x, b.w, b.conv_bias, Padding::all(3)), b.gain, b.bias, 1e-6f);
  });
}
void depthwise_layer_norm_backward(benchmark::State& state) {
  const Device device = bench::device_of(state.range(0));
  const Tensor inverse_std = bench::random_tensor({16 * state.range(1) * state.range(1)}, device);
  bench_block(state, 4, [&](const Block& b) {
    return ops::depthwise_layer_norm_backward(b.x, b.w, b.gain, b.x, inverse_std, b.x, Padding::all(3));
  });
}

BENCHMARK(depthwise_layer_norm_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(depthwise_then_layer_norm_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(depthwise_layer_norm_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace avs
