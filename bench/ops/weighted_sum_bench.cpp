// Fusion of five embeddings: a batch of 64, and all 8,646 training clips of the paper at once.
#include "bench/bench.h"
#include "tensor/ops/weighted_sum.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{64, 1024}, {8646, 10}, {8646, 1024}});
}

struct Fusion {
  std::vector<Tensor> x, w;
};

template <typename Work>
void bench_weighted_sum(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Shape shape{state.range(1), state.range(2)};
  Fusion fusion;
  for (int i = 0; i < 5; ++i) {
    fusion.x.push_back(bench::random_tensor(shape, device));
    fusion.w.push_back(bench::random_tensor({shape[-1]}, device));
  }
  bench::run(state, device, [&] { return work(fusion); });
  bench::report_bandwidth(state, tensors_moved * static_cast<double>(shape.size() * 4), device);
}

void weighted_sum_forward(benchmark::State& state) {
  bench_weighted_sum(state, 6, [](const Fusion& f) { return ops::weighted_sum(f.x, f.w, f.w[0], Activation::None); });
}
void weighted_sum_backward(benchmark::State& state) {
  bench_weighted_sum(state, 11, [](const Fusion& f) {
    return ops::weighted_sum_backward(f.x, f.w, f.x[0], f.x[1], Activation::None).dbias;
  });
}

BENCHMARK(weighted_sum_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(weighted_sum_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
