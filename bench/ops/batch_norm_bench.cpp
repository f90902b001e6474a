// BatchNorm with ReLU in the shapes of the networks: InceptionV3 at 16 images of 224x224 (rows = n*h*w), and the stages
// of the residual-inception at 8 spectrograms of 128x704, whose second BatchNorm adds the residual.
#include "bench/bench.h"
#include "tensor/ops/batch_norm.h"

namespace avs {
namespace {

void sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{16 * 111 * 111, 32},
                                  {16 * 109 * 109, 64},
                                  {16 * 52 * 52, 192},
                                  {16 * 12 * 12, 192},
                                  {16 * 5 * 5, 384},
                                  {8 * 128 * 704, 6},
                                  {8 * 128 * 704, 64},
                                  {8 * 64 * 352, 128},
                                  {8 * 16 * 88, 512}});
}

constexpr BatchNormSpec kSpec{.activation = Activation::Relu};

// x in `parts` tensors side by side, normalised to a tensor y.
struct Inputs {
  std::vector<Tensor> x, dx;
  Tensor other, gamma, beta;  // other: the residual, or dy
  RunningMoments running;
  std::vector<ChannelSlice> y;
  Tensor dresidual;
};

template <typename Work>
void bench_norm(benchmark::State& state, int64_t parts, int64_t tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const int64_t rows = state.range(1), c = state.range(2);
  const auto channels = [&] { return bench::random_tensor({c}, device); };
  const auto all = [&] { return bench::random_tensor({rows, c}, device); };
  Inputs in{{}, {}, all(), channels(), channels(), {channels(), Tensor::full({c}, 1.0f, device)}, {all()}, all()};
  for (int64_t i = 0; i < parts; ++i) {
    in.x.push_back(bench::random_tensor({rows, c / parts}, device));
    in.dx.push_back(in.x.back().clone());
  }
  bench::run(state, device, [&] { return work(in); });
  bench::report_bandwidth(state, tensors_moved * static_cast<double>(in.other.bytes()), device);
}

BatchNormMoments forward(Inputs& in, const Tensor& residual, BatchNormSpec spec = kSpec) {
  return ops::batch_norm(in.x, in.gamma, in.beta, residual, in.running, spec, in.y);
}
Tensor backward(Inputs& in, const Tensor& dresidual) {
  BatchNormGradients gradients{in.dx, {}, {}, dresidual};
  ops::batch_norm_backward(in.x, in.y, in.gamma, {in.beta, in.running.variance}, {in.other}, kSpec, gradients);
  return gradients.dbeta;
}

void batch_norm_relu(benchmark::State& state) {
  bench_norm(state, 1, 3, [](Inputs& in) { return forward(in, {}); });
}
void batch_norm_residual_relu(benchmark::State& state) {
  bench_norm(state, 1, 4, [](Inputs& in) { return forward(in, in.other); });
}
void batch_norm_relu_backward(benchmark::State& state) {
  bench_norm(state, 1, 7, [](Inputs& in) { return backward(in, {}); });
}
void batch_norm_residual_relu_backward(benchmark::State& state) {
  bench_norm(state, 1, 7, [](Inputs& in) { return backward(in, in.dresidual); });
}
void batch_norm_inference(benchmark::State& state) {
  bench_norm(state, 1, 2,
             [](Inputs& in) { return forward(in, {}, {.activation = Activation::Relu, .moments = Moments::Running}); });
}

// Four branches of an inception block, to one output.
void branches(benchmark::State& state) {
  bench_norm(state, 4, 3, [](Inputs& in) { return forward(in, {}); });
}
void branches_backward(benchmark::State& state) {
  bench_norm(state, 4, 7, [](Inputs& in) { return backward(in, {}); });
}

void branch_sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{8 * 128 * 704, 64}, {8 * 64 * 352, 128}, {8 * 16 * 88, 512}, {16 * 25 * 25, 256}});
}

BENCHMARK(branches)->Apply(branch_sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(branches_backward)->Apply(branch_sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(batch_norm_relu)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(batch_norm_residual_relu)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(batch_norm_relu_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(batch_norm_residual_relu_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(batch_norm_inference)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace avs
