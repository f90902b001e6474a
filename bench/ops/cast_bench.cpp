// Conversions of a batch of spectrograms (8 of 128x704x6) between f32 and the storage types.
#include "bench/bench.h"
#include "tensor/ops/cast.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) { bench::rows_of_channels(bench, {{8 * 128 * 704, 6}}); }

struct Types {
  Tensor wide, half, brain;
};

template <typename Work>
void bench_cast(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Shape shape{state.range(1), state.range(2)};
  const Tensor x = bench::random_tensor(shape, device);
  const Types types{x, ops::cast(x, DType::F16), ops::cast(x, DType::BF16)};
  bench::run(state, device, [&] { return work(types); });
  bench::report_bandwidth(state, tensors_moved * static_cast<double>(shape.size() * 4), device);
}

void cast_f32_to_f16(benchmark::State& state) {
  bench_cast(state, 1.5, [](const Types& t) { return ops::cast(t.wide, DType::F16); });
}
void cast_f16_to_f32(benchmark::State& state) {
  bench_cast(state, 1.5, [](const Types& t) { return ops::cast(t.half, DType::F32); });
}
void cast_f32_to_bf16(benchmark::State& state) {
  bench_cast(state, 1.5, [](const Types& t) { return ops::cast(t.wide, DType::BF16); });
}
void cast_bf16_to_f32(benchmark::State& state) {
  bench_cast(state, 1.5, [](const Types& t) { return ops::cast(t.brain, DType::F32); });
}

BENCHMARK(cast_f32_to_f16)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(cast_f16_to_f32)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(cast_f32_to_bf16)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(cast_bf16_to_f32)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
