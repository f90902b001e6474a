// Preprocessing of 16 images of 224x224, from pixels and from floats.
#include "bench/bench.h"
#include "tensor/ops/affine_channels.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) { bench::rows_of_channels(bench, {{16 * 224 * 224, 3}}); }

template <typename Work>
void bench_affine_channels(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Shape shape{state.range(1), state.range(2)};
  const Tensor x = bench::random_tensor(shape, device), pixels = Tensor::zeros(shape, DType::U8, device);
  const Tensor c = bench::random_tensor({shape[-1]}, device);
  bench::run(state, device, [&] { return work(x, pixels, c); });
  bench::report_bandwidth(state, tensors_moved * static_cast<double>(shape.size() * 4), device);
}

void affine_channels_pixels(benchmark::State& state) {
  bench_affine_channels(state, 1.25, [](const Tensor&, const Tensor& pixels, const Tensor& c) {
    return ops::affine_channels(pixels, c, c);
  });
}
void affine_channels_floats(benchmark::State& state) {
  bench_affine_channels(state, 2,
                        [](const Tensor& x, const Tensor&, const Tensor& c) { return ops::affine_channels(x, c, c); });
}

BENCHMARK(affine_channels_pixels)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(affine_channels_floats)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
