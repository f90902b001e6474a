// Inference without a graph folds every BatchNorm it can into the convolution before it. The result must equal that
// with a graph.
#include "tests/models/small_backbones.h"

namespace avs {
namespace {

// Sets running statistics, betas and gammas to arbitrary values, as after training.
void disturb_norms(Backbone& backbone) {
  uint64_t seed = 1;
  const auto draw = [&](const Tensor& like, double low, double high) {
    Rng rng(seed++);
    std::vector<float> values(static_cast<size_t>(like.size()));
    for (float& v : values) v = static_cast<float>(rng.uniform(low, high));
    return Tensor::from(like.shape(), std::span<const float>(values));
  };
  for (Buffer* b : backbone.buffers())
    b->value.copy_from(b->path.ends_with("variance") ? draw(b->value, 0.3, 2.0) : draw(b->value, -0.3, 0.3));
  for (Parameter* p : backbone.parameters()) {
    if (p->path.ends_with(".beta")) p->variable.set_value(draw(p->variable.value(), -0.3, 0.5));
    if (p->path.ends_with(".gamma")) p->variable.set_value(draw(p->variable.value(), 0.5, 1.5));
  }
}

TEST(Folding, EqualsTheUnfoldedNetwork) {
  for (const std::string model : {"aud-mel", "vis-inc"}) {
    const auto backbone = make_backbone(small_options(model));
    disturb_norms(*backbone);
    backbone->eval();
    const Tensor x = random_input(small_input(model, 2), 3);
    const BackboneOutput unfolded = backbone->run(x);
    const NoGrad no_grad;
    const BackboneOutput folded = backbone->run(x);
    EXPECT_LT(relative_error(to_double(folded.pool.value()), to_double(unfolded.pool.value())), 1e-5) << model;
    EXPECT_LT(relative_error(to_double(folded.logits.value()), to_double(unfolded.logits.value())), 1e-5) << model;
  }
}

TEST(Folding, IsForgottenWhenTheModeChanges) {
  const auto backbone = make_backbone(small_options("vis-inc"));
  backbone->eval();
  const Tensor x = random_input(small_input("vis-inc", 1), 3);
  const NoGrad no_grad;
  const Vector before = to_double(backbone->run(x).pool.value());
  disturb_norms(*backbone);
  backbone->train();
  backbone->eval();
  EXPECT_GT(relative_error(to_double(backbone->run(x).pool.value()), before), 1e-3);
}

TEST(Folding, FollowsWeightsThatAreLoadedInInferenceMode) {
  const auto a = make_backbone(small_options("vis-inc")), b = make_backbone(small_options("vis-inc"));
  disturb_norms(*b);
  a->eval();
  b->eval();
  const Tensor x = random_input(small_input("vis-inc", 1), 3);
  const NoGrad no_grad;
  a->run(x);
  Checkpoint checkpoint;
  store_parameters(*b, checkpoint);
  load_parameters(*a, checkpoint);
  EXPECT_EQ(a->run(x).logits.value().to_vector(), b->run(x).logits.value().to_vector());
}

}  // namespace
}  // namespace avs
