// The layer scale of ConvNeXt-Tiny's blocks at 16 images of 224x224, alone and with its residual.
#include "bench/bench.h"
#include "tensor/ops/scale_channels.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{16 * 56 * 56, 96}, {16 * 28 * 28, 192}, {16 * 14 * 14, 384}, {16 * 7 * 7, 768}});
}

template <typename Work>
void bench_scale_channels(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Shape shape{state.range(1), state.range(2)};
  const Tensor x = bench::random_tensor(shape, device), dy = bench::random_tensor(shape, device);
  const Tensor c = bench::random_tensor({shape[-1]}, device);
  bench::run(state, device, [&] { return work(x, dy, c); });
  bench::report_bandwidth(state, tensors_moved * static_cast<double>(shape.size() * 4), device);
}

void scale_channels_forward(benchmark::State& state) {
  bench_scale_channels(state, 2,
                       [](const Tensor& x, const Tensor&, const Tensor& c) { return ops::scale_channels(x, c); });
}
void scale_residual_forward(benchmark::State& state) {
  bench_scale_channels(
      state, 3, [](const Tensor& x, const Tensor& dy, const Tensor& c) { return ops::scale_residual(x, c, dy); });
}
void scale_channels_backward(benchmark::State& state) {
  bench_scale_channels(state, 3, [](const Tensor& x, const Tensor& dy, const Tensor& c) {
    return ops::scale_channels_backward(x, c, dy).dx;
  });
}

BENCHMARK(scale_channels_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(scale_residual_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(scale_channels_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
