// A captured and replayed step equals the same steps run kernel by kernel, bit for bit. The recording runtime refuses
// what a capture forbids on a device (allocating, waiting, copies of pageable memory), and records each wait of the
// host.
#include "models/training/captured_step.h"

#include <functional>

#include "cuda/pools.h"
#include "tensor/ops/add.h"
#include "tests/emulation/cudnn.h"
#include "tests/emulation/gpu.h"
#include "tests/emulation/include/cuda_runtime_api.h"
#include "tests/emulation/runtime.h"
#include "tests/emulation/small_training.h"

namespace avs {
namespace {

using Training = SmallTraining;

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

using InputsOf = std::function<Samples(int64_t n, int64_t step)>;

InputsOf random_inputs(const std::string& model) {
  return [model](int64_t n, int64_t step) -> Samples {
    return random_input(small_input(model, n), static_cast<uint64_t>(step));
  };
}

// Pictures of another size, and boxes that change every step.
InputsOf pictures_for(const std::string& model) {
  return [model](int64_t n, int64_t step) -> Samples {
    Tensor pictures = Tensor::empty({n, 40, 40, 3}, DType::U8), boxes = Tensor::empty({n, 5});
    Rng rng(static_cast<uint64_t>(step));
    for (int64_t i = 0; i < pictures.size(); ++i) pictures.data<uint8_t>()[i] = static_cast<uint8_t>(rng.below(256));
    for (int64_t i = 0; i < n; ++i) {
      const float box[] = {static_cast<float>(step), 2.5f, 30.25f, 36, static_cast<float>(i % 2)};
      std::ranges::copy(box, boxes.data<float>() + 5 * i);
    }
    const Shape sample = small_input(model, n);
    return {pictures, {boxes, sample[1], sample[2]}};
  };
}

// Runs the same steps both ways, including a batch of another shape, and compares results, which arrive one step late.
void expect_equal_steps(Training& eager, Training& graph, int64_t steps, MixupScheme scheme, int64_t odd_step,
                        const InputsOf& inputs_of) {
  CapturedStep captured(*graph.net, *graph.adam);
  std::vector<StepResult> expected, got;
  const auto take = [&](const std::optional<StepResult>& result) {
    if (result) got.push_back(*result);
  };
  for (int64_t step = 0; step < steps; ++step) {
    const int64_t n = step == odd_step ? 3 : 2;
    const Samples x = inputs_of(n, step);
    const Tensor y = labels(n);
    expected.push_back(train_step(*eager.net, *eager.adam, x, y, settings_of(step, scheme)));
    if (captured.takes(x, y)) {
      take(captured.start(x, y, settings_of(step, scheme)));
      EXPECT_EQ(captured.under_way(), 1);
    } else {
      take(captured.finish());
      take(train_step(*graph.net, *graph.adam, x, y, settings_of(step, scheme)));
    }
  }
  take(captured.finish());
  EXPECT_FALSE(captured.finish());
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].loss, expected[i].loss) << "step " << i;
    EXPECT_EQ(got[i].accuracy, expected[i].accuracy);
    EXPECT_EQ(got[i].rows, expected[i].rows);
    EXPECT_EQ(got[i].loss_scale, expected[i].loss_scale);
    EXPECT_EQ(got[i].skipped, expected[i].skipped);
  }
  EXPECT_EQ(eager.arena->values().to_vector(), graph.arena->values().to_vector());
  const auto one = eager.net->buffers(), two = graph.net->buffers();
  for (size_t i = 0; i < one.size(); ++i)
    EXPECT_EQ(one[i]->value.to_vector(), two[i]->value.to_vector()) << one[i]->path;
  if (got.back().l2) {
    EXPECT_EQ(*got.back().l2, eager.adam->l2_penalty());
  }
}

class CapturedSteps : public testing::TestWithParam<std::string> {};

TEST_P(CapturedSteps, AreTheEagerStepsBitForBit) {
  Training eager(GetParam()), graph(GetParam());
  if (GetParam() == "vis-conv")
    expect_equal_steps(eager, graph, 4, MixupScheme::Author, 1, random_inputs(GetParam()));
  else  // these networks take minutes in the emulation
    expect_equal_steps(eager, graph, 2, MixupScheme::None, -1, random_inputs(GetParam()));
}

// Engines also run on the streams of parallel branches.
TEST_P(CapturedSteps, WithCudnnAreTheEagerStepsBitForBit) {
  emulation::set_cudnn(emulation::Cudnn::Loops);
  Training eager(GetParam()), graph(GetParam());
  expect_equal_steps(eager, graph, 2, MixupScheme::None, -1, random_inputs(GetParam()));
  emulation::set_cudnn(emulation::Cudnn::Missing);
}

INSTANTIATE_TEST_SUITE_P(Backbones, CapturedSteps, testing::Values("aud-mel", "vis-inc", "vis-conv"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(CapturedStepsInF16, AreTheEagerStepsWithTheirLossScale) {
  Training eager("vis-conv", DType::F16), graph("vis-conv", DType::F16);
  for (Training* t : {&eager, &graph}) {  // so large a scale that the first steps are skipped
    NamedTensors state = t->adam->state();
    Tensor scaling = state.at("adam.loss_scale").to(kCpu);
    scaling.data<float>()[0] = std::ldexp(1.0f, 40);
    state["adam.loss_scale"] = scaling;
    t->adam->load_state(state, 0);
  }
  expect_equal_steps(eager, graph, 3, MixupScheme::None, -1, random_inputs("vis-conv"));
  EXPECT_LT(graph.adam->outcome().loss_scale, std::ldexp(1.0, 40));
}

// Each step has boxes of its own: a replay that reads those of the first step gives another loss.
TEST(CapturedStep, ResizesPicturesInTheGraphByTheBoxesOfEachStep) {
  Training eager("vis-conv"), graph("vis-conv");
  expect_equal_steps(eager, graph, 4, MixupScheme::Author, 1, pictures_for("vis-conv"));
  CapturedStep captured(*graph.net, *graph.adam);
  const InputsOf inputs = pictures_for("vis-conv");
  captured.start(inputs(2, 0), labels(2), settings_of(0, MixupScheme::None));
  captured.finish();
  EXPECT_TRUE(captured.takes(inputs(2, 1), labels(2)));
  EXPECT_FALSE(captured.takes(inputs(2, 1).x, labels(2))) << "pictures without boxes are another step";
}

// A host that waits for the step it just started, before it prepares the next, would leave the device idle.
TEST(CapturedStep, MakesTheHostWaitForTheStepBeforeAtMost) {
  Training t("vis-conv");
  CapturedStep captured(*t.net, *t.adam);
  const Tensor x = random_input(small_input("vis-conv", 2), 1), y = labels(2);
  captured.start(x, y, settings_of(0, MixupScheme::Author));
  captured.start(x, y, settings_of(1, MixupScheme::Author));
  emulation::watch_host();
  for (int64_t step = 2; step < 5; ++step) EXPECT_TRUE(captured.start(x, y, settings_of(step, MixupScheme::Author)));
  const auto waits = emulation::host_waits();
  EXPECT_FALSE(waits.empty());
  for (const emulation::HostWait& wait : waits) {
    EXPECT_EQ(wait.function, "cudaEventSynchronize");
    EXPECT_FALSE(wait.for_the_last_graph);
  }
  captured.finish();
  EXPECT_TRUE(emulation::host_waits().back().for_the_last_graph);
}

TEST(CapturedStep, TakesNoMemoryFromTheDriverOnceItRepeats) {
  Training t("vis-conv");
  CapturedStep captured(*t.net, *t.adam);
  const Tensor x = random_input(small_input("vis-conv", 2), 1), y = labels(2);
  for (int64_t step = 0; step < 2; ++step) captured.start(x, y, settings_of(step, MixupScheme::Author));
  emulation::set_fault({.function = "cudaMalloc*", .after = 0, .error = cudaErrorMemoryAllocation, .sticky = true});
  for (int64_t step = 2; step < 5; ++step) captured.start(x, y, settings_of(step, MixupScheme::Author));
  captured.finish();
  emulation::set_fault({});
}

TEST(CapturedStep, SaysOneStepLateWhereALossThatIsNoNumberBegins) {
  Training t("vis-conv");
  CapturedStep captured(*t.net, *t.adam);
  Tensor good = random_input(small_input("vis-conv", 2), 1), bad = good.clone();
  bad.data<float>()[5] = INFINITY;
  captured.start(good, labels(2), settings_of(0, MixupScheme::None));
  EXPECT_TRUE(captured.start(bad, labels(2), settings_of(1, MixupScheme::None)));
  const std::vector<float> before = t.arena->values().to_vector();
  EXPECT_THAT(error_of<NumericError>([&] { captured.finish(); }), testing::HasSubstr("the input holds inf"));
  EXPECT_EQ(t.arena->values().to_vector(), before);
  for (const float p : before) ASSERT_TRUE(std::isfinite(p));  // the bad step changed nothing
}

TEST(Capture, IsNotDisturbedByWhatRunsBetweenReplays) {
  Tensor x = Tensor::full({1000}, 1.0f, kGpu), y = Tensor::zeros({1000}, DType::F32, kGpu);
  const auto graph = cuda::capture(kGpu, [&] {
    const Tensor doubled = ops::add(x, x);  // allocated in the graph's pool and freed to it
    y.copy_from(ops::add(doubled, x));
  });
  EXPECT_EQ(y.to_vector()[0], 3.0f);
  std::vector<Tensor> others;
  // must not be allocated in the pool
  for (int i = 0; i < 20; ++i) others.push_back(Tensor::full({1000}, -7.0f, kGpu));
  x.fill(2.0f);
  graph->replay();
  EXPECT_EQ(y.to_vector(), std::vector<float>(1000, 6.0f));
  for (const Tensor& other : others) EXPECT_EQ(other.to_vector(), std::vector<float>(1000, -7.0f));
}

// Returns the error of `second`, the work of the captured run; the first run does nothing.
std::string error_of_capture(const std::function<void()>& second) {
  int runs = 0;
  return error_of<DeviceError>([&] {
    cuda::capture(kGpu, [&] {
      if (++runs == 2) second();
    });
  });
}

TEST(Capture, RefusesAWaitForTheDevice) {
  const Tensor x = Tensor::full({4}, 1.0f, kGpu);
  EXPECT_THAT(error_of_capture([&] { x.to_vector(); }), testing::HasSubstr("cudaErrorStreamCapture"));
  EXPECT_EQ(x.to_vector()[0], 1.0f);  // the stream has left the capture
}

// The arena may have to split its memory differently in the second run.
TEST(Capture, TakesMemoryThatTheFirstRunDidNotTake) {
  int runs = 0;
  Tensor y = Tensor::zeros({1000}, DType::F32, kGpu);
  const Tensor x = Tensor::full({1000}, 3.0f, kGpu);
  const auto graph = cuda::capture(kGpu, [&] {
    std::vector<Tensor> more;
    if (++runs == 2) more.push_back(Tensor::empty({64, 1024, 1024}, DType::F32, kGpu));
    y.copy_from(ops::add(x, y));
  });
  graph->replay();
  EXPECT_EQ(y.to_vector(), std::vector<float>(1000, 6.0f));
}

TEST(Capture, RefusesACopyFromTheHostThoughOutsideItGoesThroughPinnedMemory) {
  Tensor x = Tensor::full({4}, 1.0f, kGpu);
  const Tensor host = Tensor::full({4}, 2.0f);
  EXPECT_THAT(error_of_capture([&] { x.copy_from(host); }), testing::HasSubstr("cudaErrorStreamCapture"));
  emulation::watch_host();
  x.copy_from(host);
  for (const emulation::HostWait& wait : emulation::host_waits()) EXPECT_EQ(wait.function, "cudaEventSynchronize");
  EXPECT_EQ(x.to_vector(), std::vector<float>(4, 2.0f));
}

}  // namespace
}  // namespace avs
