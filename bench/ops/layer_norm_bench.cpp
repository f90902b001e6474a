// The LayerNorms of ConvNeXt-Tiny at 16 images of 224x224.
#include "bench/bench.h"
#include "tensor/ops/layer_norm.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{16 * 56 * 56, 96}, {16 * 28 * 28, 192}, {16 * 14 * 14, 384}, {16 * 7 * 7, 768}});
}

struct Rows {
  Tensor x, dy, gain, mean, inverse_std;
};

template <typename Work>
void bench_layer_norm(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Shape shape{state.range(1), state.range(2)};
  const Tensor x = bench::random_tensor(shape, device), gain = bench::random_tensor({shape[-1]}, device);
  const LayerNormResult r = ops::layer_norm(x, gain, gain, 1e-6f);
  const Rows rows{x, bench::random_tensor(shape, device), gain, r.mean, r.inverse_std};
  bench::run(state, device, [&] { return work(rows); });
  bench::report_bandwidth(state, tensors_moved * static_cast<double>(shape.size() * 4), device);
}

void layer_norm_forward(benchmark::State& state) {
  bench_layer_norm(state, 2, [](const Rows& r) { return ops::layer_norm(r.x, r.gain, r.gain, 1e-6f).y; });
}
void layer_norm_backward(benchmark::State& state) {
  bench_layer_norm(state, 3,
                   [](const Rows& r) { return ops::layer_norm_backward(r.x, r.gain, r.mean, r.inverse_std, r.dy).dx; });
}

BENCHMARK(layer_norm_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(layer_norm_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
