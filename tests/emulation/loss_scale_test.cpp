// Training in f16 on the emulated device with dynamic loss scaling: an overflow skips exactly its step, and the other
// steps equal training in f32 up to rounding.
#include "models/training/captured_step.h"
#include "tests/emulation/gpu.h"
#include "tests/emulation/small_training.h"

namespace avs {
namespace {

struct ScaledTraining : SmallTraining {
  explicit ScaledTraining(DType dtype, float scale = 0) : SmallTraining("vis-conv", dtype) {
    if (scale > 0) set_scale(scale);
  }
  void set_scale(float scale) {
    NamedTensors state = adam->state();
    Tensor scaling = state.at("adam.loss_scale").to(kCpu);
    scaling.data<float>()[0] = scale;
    state["adam.loss_scale"] = scaling;
    adam->load_state(state, adam->steps());
  }
  StepResult step(int64_t index) {
    Tensor targets = Tensor::zeros({2, 4});
    for (int64_t i = 0; i < 2; ++i) targets.data<float>()[i * 4 + (i + index) % 4] = 1.0f;
    StepSettings settings;
    settings.seed = 9;
    settings.step = index;
    settings.learning_rate = 1e-3;
    settings.mixup.scheme = MixupScheme::None;
    return train_step(*net, *adam, random_input(small_input("vis-conv", 2), static_cast<uint64_t>(index)), targets,
                      settings);
  }
};

TEST(TrainingInF16, AnOverflowSkipsExactlyItsStepAndHalvesTheScale) {
  ScaledTraining disturbed(DType::F16, 1e30f), calm(DType::F16, 4096.0f);
  const std::vector<float> before = disturbed.arena->values().to_vector();
  const StepResult overflow = disturbed.step(0);
  EXPECT_TRUE(overflow.skipped);
  EXPECT_TRUE(std::isfinite(overflow.loss));  // the scale does not change forward
  EXPECT_EQ(overflow.loss_scale, double{1e30f} / 2);
  EXPECT_EQ(disturbed.arena->values().to_vector(), before);
  disturbed.set_scale(4096.0f);
  const StepResult a = disturbed.step(1), b = calm.step(1);
  EXPECT_FALSE(a.skipped);
  EXPECT_EQ(a.loss, b.loss);
  EXPECT_EQ(disturbed.arena->values().to_vector(), calm.arena->values().to_vector());
}

TEST(TrainingInF16, IsTheTrainingInF32ButForRounding) {
  ScaledTraining half(DType::F16), full(DType::F32);
  for (int64_t index = 0; index < 3; ++index) {
    const StepResult a = half.step(index), b = full.step(index);
    EXPECT_FALSE(a.skipped);
    EXPECT_NEAR(a.loss, b.loss, 0.01 * b.loss) << "step " << index;
  }
  EXPECT_LT(relative_error(to_double(half.arena->values()), to_double(full.arena->values())), 0.01);
}

// Without the scale, f16 loses gradients below 6e-8. A loss with a small weight shows it: backward starts from 1e-6.
TEST(TrainingInF16, TheScaleSavesGradientsThatF16CannotHold) {
  const auto gradients = [](DType dtype, float scale) {
    ScaledTraining t(dtype);
    t.net->train();
    t.net->random().set(3, 1);
    const Tensor x = random_input(small_input("vis-conv", 2), 5).to(kGpu);
    const Tensor targets = Tensor::full({2, 4}, 0.25f, kGpu);
    const Variable loss = softmax_kl(t.net->run(x).logits, targets, 1e-7f);
    loss.backward(Tensor::full({1}, 1e-6f * scale, kGpu));
    Vector all;
    for (const Parameter* p : t.net->parameters()) {
      if (p->path.starts_with("head.")) continue;  // the head is f32 in both
      for (const double g : to_double(p->variable.grad())) all.push_back(g / double{scale});
    }
    return all;
  };
  const Vector exact = gradients(DType::F32, 1.0f);
  EXPECT_GT(relative_error(gradients(DType::F16, 1.0f), exact), 0.1);
  EXPECT_LT(relative_error(gradients(DType::F16, 65536.0f), exact), 0.02);
}

}  // namespace
}  // namespace avs
