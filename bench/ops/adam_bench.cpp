// One step of Adam over all parameters of InceptionV3 and ConvNeXt-Tiny, and of a fusion head; seven passes of memory.
#include "bench/bench.h"
#include "tensor/ops/adam.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{21802784, 1}, {27820128, 1}, {15370, 1}});
}

struct Arena {
  Tensor p, g, m, v, scalars;
};

template <typename Work>
void bench_adam(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Shape shape{state.range(1), state.range(2)};
  Arena arena{bench::random_tensor(shape, device), bench::random_tensor(shape, device),
              Tensor::zeros(shape, DType::F32, device), Tensor::full(shape, 1.0f, device),
              Tensor::full({2}, 1e-4f, device)};
  bench::run(state, device, [&] { return work(arena); });
  bench::report_bandwidth(state, tensors_moved * static_cast<double>(shape.size() * 4), device);
}

void adam_step(benchmark::State& state) {
  bench_adam(state, 7, [](Arena& a) {
    ops::adam(a.p, a.g, a.m, a.v, a.scalars, {});
    return a.p;
  });
}
void ema_step(benchmark::State& state) {
  bench_adam(state, 3, [](Arena& a) {
    ops::ema(a.m, a.p, 0.999f);
    return a.m;
  });
}

BENCHMARK(adam_step)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(ema_step)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace avs
