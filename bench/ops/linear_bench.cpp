// ConvNeXt-Tiny's pointwise layers at 16 images of 224x224 and the heads' first layer.
#include "bench/bench.h"
#include "tensor/ops/linear.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device", "rows", "in", "out"});
  for (const int64_t device : bench::devices()) {
    for (const auto& [side, c] : {std::pair{56, 96}, {28, 192}, {14, 384}, {7, 768}}) {
      bench->Args({device, 16 * side * side, c, 4 * c});
      bench->Args({device, 16 * side * side, 4 * c, c});
    }
    bench->Args({device, 16, 2048, 1024});
  }
}

struct Layer {
  Tensor x, w, bias, dy;
};

Layer layer_of(const benchmark::State& state) {
  const Device device = bench::device_of(state.range(0));
  if (!bench::usable(device)) return {};
  const int64_t rows = state.range(1), in = state.range(2), out = state.range(3);
  return {bench::random_tensor({rows, in}, device), bench::random_tensor({out, in}, device),
          bench::random_tensor({out}, device), bench::random_tensor({rows, out}, device)};
}

template <typename Work>
void bench_layer(benchmark::State& state, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Layer layer = layer_of(state);
  bench::run(state, device, [&] { return work(layer); });
  bench::report_flops(state, 2.0 * static_cast<double>(state.range(1) * state.range(2) * state.range(3)), device);
}

void linear_forward(benchmark::State& state) {
  bench_layer(state, [](const Layer& l) { return ops::linear(l.x, l.w, l.bias); });
}
void linear_gelu_forward(benchmark::State& state) {
  bench_layer(state, [](const Layer& l) { return ops::linear_gelu(l.x, l.w, l.bias); });
}
void linear_gelu_inference(benchmark::State& state) {
  bench_layer(state, [](const Layer& l) { return ops::linear(l.x, l.w, l.bias, Activation::Gelu); });
}
void linear_backward_input(benchmark::State& state) {
  bench_layer(state, [](const Layer& l) { return ops::linear_backward_input(l.x.shape(), l.w, l.dy); });
}
void linear_backward_weight(benchmark::State& state) {
  bench_layer(state, [](const Layer& l) { return ops::linear_backward_weight(l.x, l.w.shape(), l.dy); });
}

BENCHMARK(linear_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(linear_gelu_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(linear_gelu_inference)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(linear_backward_input)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(linear_backward_weight)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace avs
