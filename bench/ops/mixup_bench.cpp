// Two-fold mixup of a batch: 8 spectrograms of 128x704x6 and 16 rows of labels; its gradient for a batch of logits.
#include "bench/bench.h"
#include "layers/mixup.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) { bench::rows_of_channels(bench, {{8, 128 * 704 * 6}, {16, 10}}); }

void mixup(benchmark::State& state) {
  const Device device = bench::device_of(state.range(0));
  const Shape shape{state.range(1), state.range(2)};
  const Tensor x = bench::random_tensor(shape, device);
  Rng rng(1);
  const MixupPlan plan = plan_mixup(shape[0], {.scheme = MixupScheme::Beta}, rng).to(device);
  bench::run(state, device, [&] { return ops::mixup(x, plan); });
  bench::report_bandwidth(state, 12.0 * static_cast<double>(shape.size()), device);
}

void mixup_backward(benchmark::State& state) {
  const Device device = bench::device_of(state.range(0));
  const Shape shape{state.range(1), state.range(2)};
  const Tensor dy = bench::random_tensor(shape, device);
  Rng rng(1);
  const MixupPlan plan = plan_mixup(shape[0], {.scheme = MixupScheme::Beta}, rng).to(device);
  bench::run(state, device, [&] { return ops::mixup_backward(dy, plan, shape[0]); });
  bench::report_bandwidth(state, 8.0 * static_cast<double>(shape.size()), device);
}

BENCHMARK(mixup)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

BENCHMARK(mixup_backward)->Apply([](auto* bench) {
                           bench::rows_of_channels(bench, {{256, 10}});
                         }) -> UseManualTime() -> Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
