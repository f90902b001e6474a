// BatchNorm with ReLU in the shapes of the networks: InceptionV3 at 16 images of 224x224 (rows = n*h*w), and the stages
// of the residual-inception at 8 spectrograms of 128x704, whose second BatchNorm adds the residual.
#include "bench/bench.h"
#include "tensor/ops/batch_norm.h"
#include "tensor/ops/concat.h"

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

struct Inputs {
  Tensor x, other, gamma, beta;  // other: the residual, or dy
  mutable Tensor mean, variance;
};

constexpr BatchNormSpec kSpec{.activation = Activation::Relu};

template <typename Work>
void bench_norm(benchmark::State& state, int64_t tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const int64_t rows = state.range(1), c = state.range(2);
  const auto channels = [&] { return bench::random_tensor({c}, device); };
  const Inputs in{bench::random_tensor({rows, c}, device),
                  bench::random_tensor({rows, c}, device),
                  channels(),
                  channels(),
                  channels(),
                  Tensor::full({c}, 1.0f, device)};
  bench::run(state, device, [&] { return work(in); });
  bench::report_bandwidth(state, tensors_moved * static_cast<double>(in.x.bytes()), device);
}

void batch_norm_relu(benchmark::State& state) {
  bench_norm(state, 3, [](const Inputs& in) {
    return ops::batch_norm(in.x, in.gamma, in.beta, Tensor(), in.mean, in.variance, kSpec);
  });
}
void batch_norm_residual_relu(benchmark::State& state) {
  bench_norm(state, 4, [](const Inputs& in) {
    return ops::batch_norm(in.x, in.gamma, in.beta, in.other, in.mean, in.variance, kSpec);
  });
}
void batch_norm_relu_backward(benchmark::State& state) {
  bench_norm(state, 7, [](const Inputs& in) {
    return ops::batch_norm_backward(in.x, in.x, in.gamma, in.mean, in.variance, in.other, Residual::None, kSpec);
  });
}
void batch_norm_residual_relu_backward(benchmark::State& state) {
  bench_norm(state, 7, [](const Inputs& in) {
    return ops::batch_norm_backward(in.x, in.x, in.gamma, in.mean, in.variance, in.other, Residual::Added, kSpec);
  });
}
void batch_norm_inference(benchmark::State& state) {
  bench_norm(state, 2, [](const Inputs& in) {
    return ops::batch_norm_inference(in.x, in.gamma, in.beta, Tensor(), in.mean, in.variance, kSpec);
  });
}

// ---- four branches side by side: in place, and with the copies of a concat ----

struct Branches {
  Inputs whole;
  std::vector<BatchNormPart> parts;
  std::vector<Tensor> xs;
  Tensor y;
};

template <typename Work>
void bench_branches(benchmark::State& state, int64_t tensors_moved, Work&& work) {
  const Device device = bench::device_of(state.range(0));
  const int64_t rows = state.range(1), c = state.range(2), each = c / 4;
  const auto channels = [&](int64_t n) { return bench::random_tensor({n}, device); };
  const auto ones = [&](int64_t n) { return Tensor::full({n}, 1.0f, device); };
  const auto all = [&] { return bench::random_tensor({rows, c}, device); };
  Branches in{{all(), all(), channels(c), channels(c), channels(c), ones(c)}, {}, {}, all()};
  for (int64_t i = 0; i < 4; ++i) {
    in.xs.push_back(bench::random_tensor({rows, each}, device));
    in.parts.push_back({.x = in.xs.back(),
                        .first = i * each,
                        .gamma = channels(each),
                        .beta = channels(each),
                        .running_mean = channels(each),
                        .running_variance = ones(each),
                        .mean = channels(each),
                        .inverse_std = ones(each)});
  }
  bench::run(state, device, [&] { return work(in); });
  bench::report_bandwidth(state, tensors_moved * static_cast<double>(in.y.bytes()), device);
}

void branches_in_place(benchmark::State& state) {
  bench_branches(state, 3, [](Branches& in) {
    Tensor y = Tensor::empty(in.y.shape(), in.y.dtype(), in.y.device());
    ops::batch_norm_parts(in.parts, Tensor(), kSpec, y);
    return y;
  });
}
void branches_concatenated(benchmark::State& state) {
  bench_branches(state, 3, [](Branches& in) {
    return ops::batch_norm(ops::concat(in.xs), in.whole.gamma, in.whole.beta, Tensor(), in.whole.mean,
                           in.whole.variance, kSpec);
  });
}
void branches_in_place_backward(benchmark::State& state) {
  bench_branches(state, 7, [](Branches& in) {
    std::vector<BatchNormPartGradients> gradients(4);
    Tensor none;
    ops::batch_norm_parts_backward(in.parts, in.y, in.whole.other, kSpec, gradients, none);
    return gradients;
  });
}
void branches_concatenated_backward(benchmark::State& state) {
  bench_branches(state, 7, [](Branches& in) {
    const Tensor dx = ops::batch_norm_backward(in.whole.x, in.y, in.whole.gamma, in.whole.mean, in.whole.variance,
                                               in.whole.other, Residual::None, kSpec)
                          .dx;
    std::vector<Tensor> gradients;
    for (int64_t i = 0, c = dx.shape()[1] / 4; i < 4; ++i) gradients.push_back(ops::slice_channels(dx, i * c, c));
    return gradients;
  });
}

void branch_sizes(benchmark::internal::Benchmark* bench) {
  bench::rows_of_channels(bench, {{8 * 128 * 704, 64}, {8 * 64 * 352, 128}, {8 * 16 * 88, 512}, {16 * 25 * 25, 256}});
}

BENCHMARK(branches_in_place)->Apply(branch_sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(branches_concatenated)->Apply(branch_sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(branches_in_place_backward)->Apply(branch_sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(branches_concatenated_backward)->Apply(branch_sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(batch_norm_relu)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(batch_norm_residual_relu)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(batch_norm_relu_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(batch_norm_residual_relu_backward)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);
BENCHMARK(batch_norm_inference)->Apply(sizes)->UseManualTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace avs
