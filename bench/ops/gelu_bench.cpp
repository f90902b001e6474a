// The four activations that ConvNeXt-Tiny feeds to GELU at 16 images of 224x224.
#include "bench/bench.h"
#include "tensor/ops/gelu.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"device", "rows", "channels"});
  for (const int64_t device : bench::devices())
    for (const auto& [rows, c] :
         {std::pair{16 * 56 * 56, 384}, {16 * 28 * 28, 768}, {16 * 14 * 14, 1536}, {16 * 7 * 7, 3072}})
      bench->Args({device, rows, c});
}

template <typename Work>
void bench_gelu(benchmark::State& state, int64_t tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  if (!bench::usable(device)) return state.SkipWithError("no such device");
  const Tensor x = bench::random_tensor({state.range(1), state.range(2)}, device);
  bench::run(state, device, [&] { return work(x); });
  bench::report_bandwidth(state, static_cast<size_t>(tensors_moved) * x.bytes(), device);
}

void gelu_forward(benchmark::State& state) {
  bench_gelu(state, 2, [](const Tensor& x) { return ops::gelu(x); });
}
void gelu_backward(benchmark::State& state) {
  bench_gelu(state, 3, [](const Tensor& x) { return ops::gelu_backward(x, x); });
}

BENCHMARK(gelu_forward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(gelu_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace avs
