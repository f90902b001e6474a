// --recompute changes only memory: gradients, statistics and dropout masks are bit-identical.
#include "tests/models/small_backbones.h"

namespace avs {
namespace {

struct Step {
  std::vector<std::vector<float>> gradients, buffers;
  float loss = 0;
  size_t peak_bytes = 0;
};

Step step_of(const std::string& model, bool recompute, int64_t n = 2) {
  const auto net = make_backbone(small_options(model));
  net->recompute_stages(recompute);
  net->random().set(5, 1);
  const Tensor x = random_input(small_input(model, n), 3);
  Tensor targets = Tensor::full({n, 10}, 0.1f);
  context(kCpu).reset_peak();
  const size_t before = context(kCpu).memory().live_bytes;
  const Variable loss = softmax_kl(net->run(x).logits, targets, 1e-7f);
  loss.backward();
  Step step;
  step.peak_bytes = context(kCpu).memory().peak_bytes - before;
  step.loss = loss.value().item();
  for (const Parameter* p : net->parameters()) step.gradients.push_back(p->variable.grad().to_vector());
  for (const Buffer* b : net->buffers()) step.buffers.push_back(b->value.to_vector());
  return step;
}

TEST(Recompute, GivesTheSameBitsInEveryNetwork) {
  for (const std::string& model : backbone_names()) {
    SCOPED_TRACE(model);
    const Step plain = step_of(model, false), again = step_of(model, true);
    EXPECT_EQ(plain.loss, again.loss);
    EXPECT_EQ(plain.gradients, again.gradients);
    EXPECT_EQ(plain.buffers, again.buffers);
  }
}

TEST(Recompute, NeedsLessMemoryForActivations) {
  for (const std::string& model : backbone_names()) {
    const Step plain = step_of(model, false, 16), again = step_of(model, true, 16);
    RecordProperty(model, str(plain.peak_bytes, " -> ", again.peak_bytes));
    EXPECT_LT(again.peak_bytes, plain.peak_bytes) << model;
  }
}

}  // namespace
}  // namespace avs
