// A step that is captured once and replayed does what the same steps do one kernel at a time, bit for bit; the recording
// runtime refuses, as a device does, whatever a capture forbids (allocating, waiting, copies of pageable memory).
#include "apps/train/captured_step.h"
#include "cuda/pools.h"
#include "tensor/ops/add.h"
#include "tests/models/small_backbones.h"

namespace avs {
namespace {

constexpr Device kGpu{Device::Kind::Cuda, 0};

struct Training {
  std::unique_ptr<Backbone> net;
  std::optional<ParameterArena> arena;
  std::optional<Adam> adam;
  explicit Training(const std::string& model) {
    BackboneOptions options = small_options(model);
    options.width /= 2;
    options.classes = 4;
    net = make_backbone(options);
    net->to(kGpu);
    arena.emplace(*net);
    adam.emplace(*arena, AdamOptions{});
  }
};

Tensor labels(int64_t n) {
  Tensor t = Tensor::zeros({n, 4});
  for (int64_t i = 0; i < n; ++i) t.data<float>()[i * 4 + i % 4] = 1.0f;
  return t;
}

StepSettings settings_of(int64_t step, MixupScheme step_mixup) {
  StepSettings settings;
  settings.seed = 9;
  settings.step = step;
  settings.mixup.scheme = step_mixup;
  settings.learning_rate = 1e-3 / (1.0 + static_cast<double>(step));
  return settings;
}

class CapturedSteps : public testing::TestWithParam<std::string> {};

TEST_P(CapturedSteps, AreTheEagerStepsBitForBit) {
  Training eager(GetParam()), graph(GetParam());
  CapturedStep captured(*graph.net, *graph.adam);
  const bool quick = GetParam() == "vis-conv";  // the others take the emulation minutes
  for (int64_t step = 0; step < (quick ? 3 : 2); ++step) {
    const int64_t n = quick && step == 1 ? 3 : 2;  // a batch of another shape between two of the captured one
    const Tensor x = random_input(small_input(GetParam(), n), static_cast<uint64_t>(step)), y = labels(n);
    const StepResult a = train_step(*eager.net, *eager.adam, x, y, settings_of(step, quick ? MixupScheme::Author : MixupScheme::None));
    const StepResult b = captured.run(x, y, settings_of(step, quick ? MixupScheme::Author : MixupScheme::None));
    EXPECT_EQ(a.loss, b.loss) << "step " << step;
    EXPECT_EQ(a.accuracy, b.accuracy);
  }
  EXPECT_EQ(eager.arena->values().to_vector(), graph.arena->values().to_vector());
  const auto one = eager.net->buffers(), two = graph.net->buffers();
  for (size_t i = 0; i < one.size(); ++i) EXPECT_EQ(one[i]->value.to_vector(), two[i]->value.to_vector()) << one[i]->path;
}

INSTANTIATE_TEST_SUITE_P(Backbones, CapturedSteps, testing::Values("aud-mel", "vis-inc", "vis-conv"), [](const auto& test) {
  std::string name = test.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(Capture, IsNotDisturbedByWhatRunsBetweenReplays) {
  Tensor x = Tensor::full({1000}, 1.0f, kGpu), y = Tensor::zeros({1000}, DType::F32, kGpu);
  const auto graph = cuda::capture(kGpu, [&] {
    const Tensor doubled = ops::add(x, x);  // from the graph's pool, and given back to it
    y.copy_from(ops::add(doubled, x));
  });
  EXPECT_EQ(y.to_vector()[0], 3.0f);
  std::vector<Tensor> others;
  for (int i = 0; i < 20; ++i) others.push_back(Tensor::full({1000}, -7.0f, kGpu));  // must not land in the pool
  x.fill(2.0f);
  graph->replay();
  EXPECT_EQ(y.to_vector(), std::vector<float>(1000, 6.0f));
  for (const Tensor& other : others) EXPECT_EQ(other.to_vector(), std::vector<float>(1000, -7.0f));
}

TEST(Capture, RefusesAWaitForTheDevice) {
  Tensor x = Tensor::full({4}, 1.0f, kGpu);
  int runs = 0;
  const std::string error = error_of<DeviceError>([&] {
    cuda::capture(kGpu, [&] {
      if (++runs == 2) x.to_vector();
    });
  });
  EXPECT_THAT(error, testing::HasSubstr("cudaErrorStreamCapture"));
  EXPECT_EQ(x.to_vector()[0], 1.0f);  // the stream has left the capture
}

TEST(Capture, RefusesMemoryThatTheFirstRunDidNotTake) {
  int runs = 0;
  EXPECT_THAT(error_of<DeviceError>([&] {
                cuda::capture(kGpu, [&] {
                  if (++runs == 2) Tensor::empty({256, 1024, 1024}, DType::F32, kGpu);
                });
              }),
              testing::HasSubstr("cudaErrorStreamCapture"));
}

}  // namespace
}  // namespace avs
