// A batch of 16 frames mixed in pairs, scaled and shifted, to 16 bits where the device has them: whole frames of 224
// pixels, and boxes of half the area of frames of 256, to 224.
#include "bench/bench.h"
#include "layers/mixup.h"
#include "tensor/ops/load_pictures.h"

namespace avs {
namespace {

void devices_alone(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device"});
  for (const int64_t device : bench::devices()) bench->Args({device});
}

// bytes_read: of each byte of y's pixels; boxes are read from the caches.
void load(benchmark::State& state, int64_t side, const PictureBoxes& boxes, double bytes_read) {
  const Device device = bench::device_of(state.range(0));
  const int64_t frames = bench::extent(16);
  const Tensor pixels = Tensor::zeros({frames, side, side, 3}, DType::U8, device);
  const Tensor three = Tensor::full({3}, 0.5f, device);
  const PixelScale scale{three, three, device.is_cuda() ? DType::BF16 : DType::F32};
  Rng rng(1);
  const MixupPlan plan = plan_mixup(frames, {.scheme = MixupScheme::Beta}, rng).to(device);
  PictureBoxes there = boxes;
  if (boxes.defined()) there.boxes = boxes.boxes.to(device);
  Tensor y;
  bench::run(state, device, [&] { return y = ops::load_pictures(pixels, there, plan, scale); });
  bench::report_bandwidth(state, static_cast<double>(y.bytes()) + bytes_read * static_cast<double>(y.size()), device);
}

void load_pictures(benchmark::State& state) { load(state, bench::extent(224), {}, 2); }

void load_pictures_boxes(benchmark::State& state) {
  const int64_t side = bench::extent(256), shown = bench::extent(224);
  const float half = 0.7071f * static_cast<float>(side);
  std::vector<PictureBox> boxes;
  for (int64_t i = 0; i < bench::extent(16); ++i)
    boxes.push_back({static_cast<float>(i) / 16 * (static_cast<float>(side) - half), 0.25f * half, half, half,
                     static_cast<float>(i % 2)});
  load(state, side, {to_tensor(boxes), shown, shown}, 0);
}

BENCHMARK(load_pictures)->Apply(devices_alone)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(load_pictures_boxes)->Apply(devices_alone)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
