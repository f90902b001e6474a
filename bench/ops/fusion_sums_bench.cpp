// A fusion function of three sounds and two pictures: a batch of 64, and all 8,646 training clips of the paper at once.
#include "bench/bench.h"
#include "tensor/ops/fusion_sums.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{64, 1024}, {8646, 10}, {8646, 1024}});
}

constexpr FusionSpec kSummed{.sound = 3, .join = FusionJoin::Sum, .activation = Activation::Relu};

struct Fusion {
  std::vector<Tensor> x;
  FusionParameters parameters;
};

template <typename Work>
void bench_fusion(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Shape shape{state.range(1), state.range(2)};
  const auto parameter = [&] { return bench::random_tensor({shape[1]}, device); };
  Fusion fusion;
  for (int i = 0; i < 5; ++i) {
    fusion.x.push_back(bench::random_tensor(shape, device));
    fusion.parameters.w.push_back(parameter());
  }
  fusion.parameters.bias = {parameter(), parameter()};
  fusion.parameters.v = {parameter(), parameter()};
  fusion.parameters.c = parameter();
  bench::run(state, device, [&] { return work(fusion); });
  bench::report_bandwidth(state, tensors_moved * static_cast<double>(shape.size() * 4), device);
}

void fusion_sums_forward(benchmark::State& state) {
  bench_fusion(state, 6, [](const Fusion& f) { return ops::fusion_sums(f.x, f.parameters, kSummed); });
}
void fusion_sums_backward(benchmark::State& state) {
  bench_fusion(state, 11,
               [](const Fusion& f) { return ops::fusion_sums_backward(f.x, f.parameters, f.x[0], kSummed).of.c; });
}

BENCHMARK(fusion_sums_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(fusion_sums_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
