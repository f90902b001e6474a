// Concatenations in the shapes of the networks: the residual-inception's four branches at 8 spectrograms, InceptionV3's
// mixed blocks at 16 images; and slicing one branch out, as in backward.
#include "bench/bench.h"
#include "tensor/ops/concat.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device", "rows", "parts", "channels"});
  for (const int64_t device : bench::devices()) {
    bench::add_sizes(bench, device, {8 * 128 * 704, 4, 16});
    bench::add_sizes(bench, device, {8 * 128 * 704, 4, 2});  // the network at width 0.125
    bench::add_sizes(bench, device, {8 * 64 * 352, 4, 32});
    bench::add_sizes(bench, device, {8 * 16 * 88, 4, 128});
    bench::add_sizes(bench, device, {16 * 25 * 25, 4, 64});
    bench::add_sizes(bench, device, {16 * 12 * 12, 4, 192});
    bench::add_sizes(bench, device, {16 * 5 * 5, 6, 384});
  }
}

void concat_forward(benchmark::State& state) {
  const Device device = bench::device_of(state.range(0));
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < state.range(2); ++i)
    parts.push_back(bench::random_tensor({state.range(1), state.range(3)}, device));
  bench::run(state, device, [&] { return ops::concat(parts); });
  bench::report_bandwidth(state, 2 * parts.size() * parts[0].bytes(), device);
}

void slice_channels(benchmark::State& state) {
  const Device device = bench::device_of(state.range(0));
  const int64_t channels = state.range(3);
  const Tensor x = bench::random_tensor({state.range(1), state.range(2) * channels}, device);
  bench::run(state, device, [&] { return ops::slice_channels(x, channels, channels); });
  bench::report_bandwidth(state, 2 * x.bytes() / static_cast<size_t>(state.range(2)), device);
}

BENCHMARK(concat_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(slice_channels)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
