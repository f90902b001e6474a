// The loss: batches of 16 and 48 rows (two-fold mixup triples a batch), and an epoch of embeddings at once.
#include "bench/bench.h"
#include "tensor/ops/softmax.h"
#include "tensor/ops/softmax_kl.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) { bench::rows_of_channels(bench, {{16, 10}, {48, 10}, {8646, 10}}); }

template <typename Work>
void bench_softmax_kl(benchmark::State& state, double tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const Shape shape{state.range(1), state.range(2)};
  const Tensor x = bench::random_tensor(shape, device), t = ops::softmax(bench::random_tensor(shape, device));
  const Tensor one = Tensor::full({1}, 1.0f, device);
  bench::run(state, device, [&] { return work(x, t, one); });
  bench::report_bandwidth(state, tensors_moved * static_cast<double>(shape.size() * 4), device);
}

void softmax_kl_forward(benchmark::State& state) {
  bench_softmax_kl(state, 3,
                   [](const Tensor& x, const Tensor& t, const Tensor&) { return ops::softmax_kl(x, t, 1e-7f).loss; });
}
void softmax_kl_backward(benchmark::State& state) {
  bench_softmax_kl(state, 3, [](const Tensor&, const Tensor& t, const Tensor& one) {
    return ops::softmax_kl_backward(t, t, 1e-7f, one);
  });
}

BENCHMARK(softmax_kl_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(softmax_kl_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
