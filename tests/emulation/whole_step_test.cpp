// Whole training steps on the emulated device (forward, loss, backward and the optimizer, through every kernel of a
// network) compared with the same step on the CPU: the loss, every parameter's gradient, the running statistics, and
// the parameters after the step.
#include <numeric>

#include "models/training/fusion_training.h"
#include "models/training/step.h"
#include "tests/emulation/cudnn.h"
#include "tests/emulation/gpu.h"
#include "tests/models/small_backbones.h"

namespace avs {
namespace {

struct Step {
  double loss = 0;
  std::map<std::string, Vector> gradients, buffers, parameters;
};

std::unique_ptr<Backbone> network(const std::string& model, Device device, DType dtype) {
  BackboneOptions options = small_options(model);
  options.width /= 2;
  options.classes = 4;
  auto net = make_backbone(options);
  net->to(device);
  net->compute_in(dtype);
  return net;
}

Tensor soft_targets(int64_t rows) {
  Tensor t = Tensor::full({rows, 4}, 0.1f);
  for (int64_t i = 0; i < rows; ++i) t.data<float>()[i * 4 + i % 4] = 0.7f;
  return t;
}

Step step_of(const std::string& model, Device device, DType dtype = DType::F32) {
  const auto net = network(model, device, dtype);
  // InceptionV3's last stages are single pixels: a BatchNorm over two of them returns only signs.
  const int64_t n = model == "vis-inc" ? 6 : 2;
  const Tensor x = random_input(small_input(model, n), 5).to(device), targets = soft_targets(n).to(device);
  ParameterArena arena(*net);
  Adam adam(arena, {});
  net->train();
  net->random().set(3, 1);
  const Variable loss = softmax_kl(net->run(x).logits, targets, 1e-7f);
  loss.backward();
  Step step;
  step.loss = loss.value().item();
  for (const Parameter* p : net->parameters()) step.gradients[p->path] = to_double(p->variable.grad());
  adam.step(1e-3);
  for (const Parameter* p : net->parameters()) step.parameters[p->path] = to_double(p->variable.value());
  for (const Buffer* b : net->buffers()) step.buffers[b->path] = to_double(b->value);
  return step;
}

// Over all tensors together: a single gradient of an untrained network can be pure rounding (a bias before a
// BatchNorm).
double distance(const std::map<std::string, Vector>& got, const std::map<std::string, Vector>& expected) {
  Vector a, b;
  for (const auto& [path, values] : expected) {
    b.insert(b.end(), values.begin(), values.end());
    a.insert(a.end(), got.at(path).begin(), got.at(path).end());
  }
  return relative_error(a, b);
}

// The largest error of a single tensor, relative to its own norm, or to a thousandth of the norm of all if that is
// larger.
double worst_tensor(const std::map<std::string, Vector>& got, const std::map<std::string, Vector>& expected) {
  const auto norm = [](const Vector& v) { return std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0)); };
  double all = 0, worst = 0;
  for (const auto& [path, values] : expected) all = std::hypot(all, norm(values));
  for (const auto& [path, values] : expected) {
    Vector difference = got.at(path);
    for (size_t i = 0; i < difference.size(); ++i) difference[i] -= values[i];
    worst = std::max(worst, norm(difference) / std::max(norm(values), 1e-3 * all));
  }
  return worst;
}

void expect_the_same(const Step& gpu, const Step& cpu, const std::string& model) {
  // 94 BatchNorms over a few pixels each amplify rounding: measured 6e-4 for InceptionV3's gradients.
  const double deep = model == "vis-inc" ? 10 : 1;
  EXPECT_NEAR(gpu.loss, cpu.loss, deep * 1e-5 * std::abs(cpu.loss));
  EXPECT_LT(distance(gpu.gradients, cpu.gradients), deep * 2e-4);
  EXPECT_LT(worst_tensor(gpu.gradients, cpu.gradients), deep * 1e-3);
  EXPECT_LT(distance(gpu.buffers, cpu.buffers), 1e-5);
  EXPECT_LT(distance(gpu.parameters, cpu.parameters), 1e-3);  // Adam's first step is the sign of each gradient
}

class WholeStep : public testing::TestWithParam<std::string> {};

TEST_P(WholeStep, OnTheEmulatedDeviceIsTheStepOnTheCpu) {
  expect_the_same(step_of(GetParam(), kGpu), step_of(GetParam(), kCpu), GetParam());
}

TEST_P(WholeStep, WithCudnnIsTheStepOnTheCpu) {
  emulation::set_cudnn(emulation::Cudnn::Loops);
  const int64_t before = emulation::convolutions_by_cudnn();
  const Step gpu = step_of(GetParam(), kGpu);
  emulation::set_cudnn(emulation::Cudnn::Missing);
  EXPECT_GT(emulation::convolutions_by_cudnn(), before);
  expect_the_same(gpu, step_of(GetParam(), kCpu), GetParam());
}

TEST_P(WholeStep, RepeatsBitForBit) {
  if (GetParam() == "aud-mel") return;  // the same kernels as in the other two, but ten times slower in the emulation
  const Step first = step_of(GetParam(), kGpu), second = step_of(GetParam(), kGpu);
  EXPECT_EQ(first.loss, second.loss);
  EXPECT_EQ(first.gradients, second.gradients);
  EXPECT_EQ(first.parameters, second.parameters);
}

TEST_P(WholeStep, InSixteenBitsStaysNearTheStepInThirtyTwo) {
  const Step cpu = step_of(GetParam(), kCpu);
  for (const DType dtype : {DType::BF16, DType::F16}) {
    const Step gpu = step_of(GetParam(), kGpu, dtype);
    SCOPED_TRACE(str(dtype));
    EXPECT_NEAR(gpu.loss, cpu.loss, 0.05 * std::abs(cpu.loss));
    for (const auto& [path, values] : gpu.gradients)
      for (const double g : values) ASSERT_TRUE(std::isfinite(g)) << path;
    EXPECT_LT(distance(gpu.buffers, cpu.buffers), 0.05);
  }
}

// aud-gam and aud-cqt have aud-mel's network.
INSTANTIATE_TEST_SUITE_P(Backbones, WholeStep, testing::Values("aud-mel", "vis-inc", "vis-conv"), [](const auto& test) {
  std::string name = test.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

// ---- Phase II ----

TEST(WholeStepOfAFusion, OnTheEmulatedDeviceIsTheStepOnTheCpu) {
  for (int method = 0; method < 6; ++method) {
    FusionOptions options{.method = static_cast<FusionMethod>(method),
                          .inputs = {"aud-mel", "aud-gam", "aud-cqt", "vis-conv", "vis-inc"},
                          .embedding_size = method < 3 ? 37 : 4,
                          .classes = 4};
    for (const Activation activation : {Activation::None, Activation::Relu}) {
      options.activation = activation;
      SCOPED_TRACE(str(name_of(options.method), activation == Activation::Relu ? " with ReLU" : ""));
      std::map<Device::Kind, std::map<std::string, Vector>> gradients;
      std::map<Device::Kind, double> losses;
      for (const Device device : {kCpu, kGpu}) {
        FusionNet net(options);
        net.to(device);
        std::vector<Variable> x;
        for (uint64_t i = 0; i < 5; ++i)
          x.emplace_back(
              to_tensor(reference::random_vector(6 * options.embedding_size, i), {6, options.embedding_size}, device));
        const Variable loss = softmax_kl(net.run(x), soft_targets(6).to(device), 1e-7f);
        loss.backward();
        losses[device.kind] = loss.value().item();
        for (const Parameter* p : net.parameters()) gradients[device.kind][p->path] = to_double(p->variable.grad());
      }
      EXPECT_NEAR(losses[Device::Kind::Cuda], losses[Device::Kind::Cpu], 1e-5 * std::abs(losses[Device::Kind::Cpu]));
      EXPECT_LT(distance(gradients[Device::Kind::Cuda], gradients[Device::Kind::Cpu]), 1e-5);
    }
  }
}

}  // namespace
}  // namespace avs
