// Two-fold mixup of a batch: 16 images of 224x224 (from pixels) and 8 spectrograms of 128x704x6, one sample per row.
#include <algorithm>
#include <numeric>

#include "bench/bench.h"
#include "tensor/ops/mixup.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{16, 224 * 224 * 3}, {8, 128 * 704 * 6}, {16, 10}});
}

constexpr int64_t kChannels = 2;  // divides every size above

struct Batch {
  Tensor x, pixels, first, second, lambda;
  MixupOutput prepared;  // with preprocessing, and to 16 bits where the device has them
};

template <typename Work>
void bench_mixup(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Shape shape{state.range(1), state.range(2)};
  const int64_t n = shape[0];
  std::vector<int32_t> first(static_cast<size_t>(n)), second;
  for (size_t i = 0; i < first.size(); ++i) first[i] = static_cast<int32_t>(i);
  second.assign(first.rbegin(), first.rend());
  const Tensor of_channels = Tensor::full({kChannels}, 0.5f, device);
  const Batch batch{bench::random_tensor(shape, device),
                    Tensor::zeros(shape, DType::U8, device),
                    Tensor::from({n}, std::span<const int32_t>(first), device),
                    Tensor::from({n}, std::span<const int32_t>(second), device),
                    Tensor::full({n}, 0.3f, device),
                    {of_channels, of_channels, device.is_cuda() ? DType::BF16 : DType::F32}};
  bench::run(state, device, [&] { return work(batch); });
  bench::report_bandwidth(state, tensors_moved * static_cast<double>(shape.size() * 4), device);
}

void mixup_floats(benchmark::State& state) {
  bench_mixup(state, 3, [](const Batch& b) { return ops::mixup(b.x, b.first, b.second, b.lambda); });
}
void mixup_pixels(benchmark::State& state) {
  bench_mixup(state, 1.5, [](const Batch& b) { return ops::mixup(b.pixels, b.first, b.second, b.lambda); });
}
void mixup_pixels_prepared(benchmark::State& state) {
  bench_mixup(state, bench::device_of(state.range(0)).is_cuda() ? 1.0 : 1.5, [](const Batch& b) {
    const Shape& rows = b.pixels.shape();
    return ops::mixup(b.pixels.reshape({rows[0], rows[1] / kChannels, kChannels}), b.first, b.second, b.lambda,
                      b.prepared);
  });
}
void mixup_backward(benchmark::State& state) {
  bench_mixup(state, 2,
              [](const Batch& b) { return ops::mixup_backward(b.x, b.first, b.second, b.lambda, b.x.shape()[0]); });
}

// Resizes half the area of frames of 256 x 256 pixels to 224 x 224; counts bytes written, since reads hit the caches.
void devices_alone(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device"});
  for (const int64_t device : bench::devices()) bench->Args({device});
}
void mixup_boxes(benchmark::State& state) {
  const Device device = bench::device_of(state.range(0));
  const int64_t frames = bench::extent(16), side = bench::extent(256), shown = bench::extent(224);
  std::vector<int32_t> first(static_cast<size_t>(frames)), second;
  std::iota(first.begin(), first.end(), 0);
  second.assign(first.rbegin(), first.rend());
  Tensor boxes = Tensor::empty({frames, 5});
  const float half = 0.7071f * static_cast<float>(side);  // side of a square with half the picture's area
  for (int64_t i = 0; i < frames; ++i) {
    const float left = (static_cast<float>(side) - half) * static_cast<float>(i) / static_cast<float>(frames);
    const float box[] = {left, 0.25f * half, half, half, static_cast<float>(i % 2)};
    std::ranges::copy(box, boxes.data<float>() + 5 * i);
  }
  const Tensor pixels = Tensor::zeros({frames, side, side, kChannels}, DType::U8, device);
  const Tensor a = Tensor::from({frames}, std::span<const int32_t>(first), device),
               b = Tensor::from({frames}, std::span<const int32_t>(second), device),
               lambda = Tensor::full({frames}, 0.3f, device), of_channels = Tensor::full({kChannels}, 0.5f, device);
  const MixupOutput output{.scale = of_channels,
                           .shift = of_channels,
                           .dtype = device.is_cuda() ? DType::BF16 : DType::F32,
                           .resized = {boxes.to(device), shown, shown}};
  Tensor y;
  bench::run(state, device, [&] { return y = ops::mixup(pixels, a, b, lambda, output); });
  bench::report_bandwidth(state, static_cast<double>(y.bytes()), device);
}

BENCHMARK(mixup_floats)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(mixup_boxes)->Apply(devices_alone)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(mixup_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(mixup_pixels)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(mixup_pixels_prepared)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
