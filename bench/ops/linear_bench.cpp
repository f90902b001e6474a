// ConvNeXt-Tiny's pointwise layers at 16 images of 224x224 and the heads' first layer; on a GPU in f32 and bf16,
// through cuBLASLt or, with AVS_CUBLAS=0 in the environment, our own kernels.
#include "bench/bench.h"
#include "cuda/api.h"
#include "tensor/ops/cast.h"
#include "tensor/ops/linear.h"

namespace avs {
namespace {

void sizes_from(int64_t first_device, benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device", "rows", "in", "out", "dtype"});
  const auto add = [&](int64_t rows, int64_t in, int64_t out) {
    for (int64_t device = first_device; device < static_cast<int64_t>(bench::devices().size()); ++device)
      for (const DType dtype : {DType::F32, DType::BF16})
        if (dtype == DType::F32 || device != 0)
          bench::add_sizes(bench, device, {rows, in, out, static_cast<int64_t>(dtype)});
  };
  for (const auto& [side, c] : {std::pair{56, 96}, {28, 192}, {14, 384}, {7, 768}}) {
    add(16 * side * side, c, 4 * c);
    add(16 * side * side, 4 * c, c);
  }
  add(16, 2048, 1024);
}
void sizes(benchmark::internal::Benchmark* bench) { sizes_from(0, bench); }
void gpu_sizes(benchmark::internal::Benchmark* bench) { sizes_from(1, bench); }

struct Layer {
  Tensor x, w, bias, dy;
};

DType dtype_of(const benchmark::State& state) { return static_cast<DType>(state.range(4)); }

Layer layer_of(const benchmark::State& state) {
  const Device device = bench::device_of(state.range(0));
  if (!bench::usable(device)) return {};
  const int64_t rows = state.range(1), in = state.range(2), out = state.range(3);
  const auto activations = [&](int64_t columns) {
    return ops::cast(bench::random_tensor({rows, columns}, device), dtype_of(state));
  };
  return {activations(in), bench::random_tensor({out, in}, device), bench::random_tensor({out}, device),
          activations(out)};
}

template <typename Work>
void bench_layer(benchmark::State& state, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Layer layer = layer_of(state);
  bench::run(state, device, [&] { return work(layer); });
  bench::report_flops(state, 2.0 * static_cast<double>(state.range(1) * state.range(2) * state.range(3)), device,
                      dtype_of(state));
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
void linear_backward_gelu(benchmark::State& state) {
  bench_layer(state, [](const Layer& l) { return ops::linear_backward_gelu(l.x, l.w, l.dy); });
}
// Measures the option --fast: GELU in cuBLASLt's epilogues.
template <typename Work>
void bench_tanh(benchmark::State& state, Work&& work) {
  cuda::set_arithmetic({.tanh_gelu = true});
  bench_layer(state, work);
  cuda::set_arithmetic({});
}
void linear_tanh_gelu_forward(benchmark::State& state) {
  bench_tanh(state, [](const Layer& l) { return ops::linear_gelu(l.x, l.w, l.bias); });
}
void linear_backward_tanh_gelu(benchmark::State& state) {
  bench_tanh(state, [](const Layer& l) { return ops::linear_backward_gelu(l.x, l.w, l.dy); });
}
void linear_backward_weight(benchmark::State& state) {
  bench_layer(state, [](const Layer& l) { return ops::linear_backward_weight(l.x, l.w.shape(), l.dy); });
}

BENCHMARK(linear_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(linear_gelu_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(linear_gelu_inference)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(linear_backward_input)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(linear_backward_gelu)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(linear_backward_weight)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);

using Bench = void (*)(benchmark::State&);
const bool registered_for_gpus = [] {
  if (bench::devices().size() == 1) return false;
  for (const auto& [name, run] :
       {std::pair<const char*, Bench>{"linear_tanh_gelu_forward", linear_tanh_gelu_forward},
        std::pair<const char*, Bench>{"linear_backward_tanh_gelu", linear_backward_tanh_gelu}})
    benchmark::RegisterBenchmark(name, run)->Apply(gpu_sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
  return true;
}();

}  // namespace
}  // namespace avs
