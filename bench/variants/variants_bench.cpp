// The steps of variants.h at the shapes of ConvNeXt-Tiny (16 images of 224x224), each next to the engine's own kernel.
// GB/s counts the bytes that must move at least, so that all steps compare. The engine's matrix product is cuBLASLt's,
// or with AVS_CUBLAS=0 in the environment its own kernel.
#include <string>

#include "bench/bench.h"
#include "bench/variants/variants.h"
#include "tensor/ops/depthwise_conv2d.h"
#include "tensor/ops/layer_norm.h"
#include "tensor/ops/linear.h"

namespace avs {
namespace {

constexpr Device kGpu{Device::Kind::Cuda, 0};
constexpr float kEpsilon = 1e-6f;

struct Layer {
  Tensor x, filter, gain, y;
};

template <typename Work>
void add(const std::string& name, int64_t side, int64_t c, Work work) {
  benchmark::RegisterBenchmark(str(name, "/", side, "/", c).c_str(),
                               [=](benchmark::State& state) {
                                 if (!bench::usable(kGpu)) return state.SkipWithError("no such device");
                                 const Shape shape = {16, side, side, c};
                                 Layer layer{bench::random_tensor(shape, kGpu), bench::random_tensor({7, 7, c}, kGpu),
                                             bench::random_tensor({c}, kGpu), Tensor::empty(shape, DType::F32, kGpu)};
                                 bench::run(state, kGpu, [&] {
                                   work(layer);
                                   return layer.y;
                                 });
                                 bench::report_bandwidth(state, 2 * layer.x.bytes(), kGpu);
                               })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

void add_layer_norms(int64_t side, int64_t c) {
  for (const auto& step : variants::kLayerNorm)
    add(step.name, side, c, [&step](Layer& l) { step.run(l.x, l.gain, l.gain, kEpsilon, l.y); });
  add("cuda/layer_norm.cu", side, c, [](Layer& l) { l.y = ops::layer_norm(l.x, l.gain, l.gain, kEpsilon).y; });
}

void add_depthwise(int64_t side, int64_t c) {
  for (const auto& step : variants::kDepthwise)
    add(step.name, side, c, [&step](Layer& l) { step.run(l.x, l.filter, l.y); });
  add("cuda/depthwise_conv2d.cu", side, c,
      [](Layer& l) { l.y = ops::depthwise_conv2d(l.x, l.filter, {}, Padding::all(3)); });
}

void add_matmul(const char* name, int64_t m, int64_t n, int64_t k,
                void (*work)(const Tensor&, const Tensor&, Tensor&)) {
  benchmark::RegisterBenchmark(
      str(name, "/", m, "/", n, "/", k).c_str(),
      [=](benchmark::State& state) {
        if (!bench::usable(kGpu)) return state.SkipWithError("no such device");
        const Tensor a = bench::random_tensor({m, k}, kGpu), b = bench::random_tensor({k, n}, kGpu);
        Tensor c = Tensor::empty({m, n}, DType::F32, kGpu);
        bench::run(state, kGpu, [&] {
          work(a, b, c);
          return c;
        });
        bench::report_flops(state, 2.0 * static_cast<double>(m * n * k), kGpu);
      })
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond);
}

// The first pointwise layer of a stage.
void add_products(int64_t side, int64_t c) {
  const int64_t rows = 16 * side * side;
  for (const auto& step : variants::kMatMul) add_matmul(step.name, rows, 4 * c, c, step.run);
  add_matmul("ops::linear_backward_input", rows, 4 * c, c, [](const Tensor& a, const Tensor& b, Tensor& product) {
    product = ops::linear_backward_input({a.shape()[0], b.shape()[1]}, b, a);  // a b without a transposition
  });
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  using Stage = std::pair<int64_t, int64_t>;
  for (const auto& [side, c] : {Stage{56, 96}, {28, 192}, {14, 384}, {7, 768}}) {
    avs::add_layer_norms(side, c);
    avs::add_depthwise(side, c);
    avs::add_products(side, c);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
