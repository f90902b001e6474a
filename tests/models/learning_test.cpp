// Do the networks learn? Gradients reach every parameter, and a few samples are memorised.
#include <cmath>

#include "layers/optim/adam.h"
#include "tensor/ops/reduce.h"
#include "tensor/parallel.h"
#include "tests/models/small_backbones.h"

namespace avs {
namespace {

// Row i is one-hot for class i % classes.
Tensor one_hot(int64_t rows, int64_t classes) {
  std::vector<float> values(static_cast<size_t>(rows * classes), 0.0f);
  for (int64_t i = 0; i < rows; ++i) values[static_cast<size_t>(i * classes + i % classes)] = 1.0f;
  return Tensor::from({rows, classes}, std::span<const float>(values));
}

Variable loss_of(Backbone& backbone, const Tensor& x, const Tensor& targets) {
  return softmax_kl(backbone.run(x).logits, targets, 1e-7f);
}

TEST(Learning, EveryParameterReceivesAGradient) {
  for (const std::string& model : backbone_names()) {
    BackboneOptions options = small_options(model);
    options.classes = 4;
    const auto backbone = make_backbone(options);
    backbone->random().set(1, 1);
    loss_of(*backbone, random_input(small_input(model, 8), 1), one_hot(8, 4)).backward();
    for (const Parameter* p : backbone->parameters()) {
      ASSERT_TRUE(p->variable.grad().defined()) << model << " " << p->path;
      EXPECT_EQ(p->variable.grad().shape(), p->variable.shape()) << model << " " << p->path;
      EXPECT_EQ(ops::first_non_finite(p->variable.grad()), -1) << model << " " << p->path;
      EXPECT_GT(ops::sum_squares(p->variable.grad()).item(), 0.0f) << model << " " << p->path;
    }
  }
}

struct Course {
  std::string model;
  int steps;
  double learning_rate;
};
void PrintTo(const Course& course, std::ostream* out) { *out << course.model; }

// At these sizes an op takes microseconds: a second thread costs more than it gains.
class EightSamples : public testing::TestWithParam<Course> {
 protected:
  void SetUp() override { set_thread_count(1); }
  void TearDown() override { set_thread_count(threads_); }
  const int threads_ = thread_count();
};

TEST_P(EightSamples, AreLearnedByHeart) {
  const Course course = GetParam();
  BackboneOptions options = small_options(course.model);
  options.classes = 4;
  options.batch_norm_new_value_weight = 0.3f;
  const auto backbone = make_backbone(options);
  const Tensor x = random_input(small_input(course.model, 8), 7), targets = one_hot(8, 4);
  ParameterArena arena(*backbone);
  Adam adam(arena, {.l2 = 0.0f});
  float first = 0, last = 0;
  for (int step = 1; step <= course.steps; ++step) {
    backbone->random().set(1, static_cast<uint64_t>(step));
    const Variable loss = loss_of(*backbone, x, targets);
    loss.backward();
    adam.step(course.learning_rate);
    arena.zero_gradients();
    last = loss.value().item();
    if (step == 1) first = last;
  }
  EXPECT_NEAR(first, std::log(4.0f), 1.0f);
  EXPECT_LT(last, 0.1f * first);
  const NoGrad no_grad;
  for (int pass = 0; pass < 10; ++pass) backbone->run(x);  // let the running statistics follow the weights
  backbone->eval();
  EXPECT_LT(loss_of(*backbone, x, targets).value().item(), 0.2f * first);
}

INSTANTIATE_TEST_SUITE_P(Learning, EightSamples,
                         testing::Values(Course{"aud-mel", 30, 2e-3}, Course{"vis-inc", 40, 1e-3},
                                         Course{"vis-conv", 60, 2e-3}));

// Equal seeds give equal bits: two networks, created and trained separately.
TEST(Learning, TwoRunsAreBitIdentical) {
  std::vector<std::vector<float>> weights;
  for (int run = 0; run < 2; ++run) {
    const auto backbone = make_backbone(small_options("aud-mel"));
    ParameterArena arena(*backbone);
    Adam adam(arena, {});
    for (uint64_t step = 1; step <= 3; ++step) {
      backbone->random().set(5, step);
      loss_of(*backbone, random_input({4, 32, 40, 6}, step), one_hot(4, 10)).backward();
      adam.step(1e-3);
      arena.zero_gradients();
    }
    weights.push_back(arena.values().to_vector());
  }
  EXPECT_EQ(weights[0], weights[1]);
}

// A step frees all its memory, and inference keeps no intermediate values.
TEST(Learning, MemoryReturnsAfterAStepAndInferenceKeepsNone) {
  for (const std::string& model : backbone_names()) {
    const auto backbone = make_backbone(small_options(model));
    const Tensor x = random_input(small_input(model, 2), 1), targets = one_hot(2, 10);
    loss_of(*backbone, x, targets).backward();
    const auto forget = [&] {
      for (const Parameter* p : backbone->parameters()) p->variable.zero_grad();
    };
    forget();
    const size_t before = context(kCpu).memory().live_bytes;
    loss_of(*backbone, x, targets).backward();
    forget();
    EXPECT_EQ(context(kCpu).memory().live_bytes, before) << model;

    backbone->eval();
    const NoGrad no_grad;
    const Variable warm = backbone->run(x).logits;  // folds
    const size_t ready = context(kCpu).memory().live_bytes;
    const Variable again = backbone->run(x).logits;
    EXPECT_LE(context(kCpu).memory().live_bytes, ready + again.value().bytes() + 64) << model;
  }
}

}  // namespace
}  // namespace avs
