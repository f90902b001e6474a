// Inference through a captured graph equals the network run kernel by kernel, bit for bit: full batches are replayed,
// the smaller one at the end runs without the graph.
#include "models/training/inference.h"

#include "tensor/ops/softmax.h"
#include "tests/emulation/gpu.h"
#include "tests/emulation/runtime.h"
#include "tests/models/small_backbones.h"

namespace avs {
namespace {

std::unique_ptr<Backbone> network(const std::string& model) {
  BackboneOptions options = small_options(model);
  options.width /= 2;
  options.classes = 4;
  auto net = make_backbone(options);
  net->to(kGpu);
  return net;
}

class CapturedInference : public testing::TestWithParam<std::string> {};

TEST_P(CapturedInference, IsTheNetworkBitForBit) {
  const auto net = network(GetParam()), plain = network(GetParam());
  plain->eval();
  Inference inference(*net);
  const NoGrad no_grad;
  for (const int64_t n : {2, 2, 2, 1, 2}) {
    static uint64_t seed = 0;
    const Tensor x = random_input(small_input(GetParam(), n), ++seed);
    const BackboneOutput expected = plain->run(x);
    const Inference::Outputs got = inference.run(x);
    EXPECT_EQ(got.logits.device(), kCpu);
    EXPECT_EQ(got.fc1024.to_vector(), expected.fc1024.value().to_vector());
    EXPECT_EQ(got.logits.to_vector(), expected.logits.value().to_vector());
    EXPECT_EQ(got.probabilities.to_vector(), ops::softmax(expected.logits.value()).to_vector());
  }
}

// One network for each kind of normalisation; those of sound have BatchNorm too and take longer in the emulation.
INSTANTIATE_TEST_SUITE_P(Backbones, CapturedInference, testing::Values("vis-inc", "vis-conv"), [](const auto& test) {
  std::string name = test.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

// Frames of 40 pixels of which the network sees 32, other ones in each batch.
TEST(InferenceOfBoxes, IsTheNetworkBitForBit) {
  const auto net = network("vis-conv"), plain = network("vis-conv");
  plain->eval();
  Inference inference(*net);
  const NoGrad no_grad;
  for (int batch = 0; batch < 4; ++batch) {
    Tensor x = Tensor::empty({2, 40, 40, 3}, DType::U8);
    Rng rng(static_cast<uint64_t>(batch));
    for (uint8_t& p : std::span(x.data<uint8_t>(), x.bytes())) p = static_cast<uint8_t>(rng.below(256));
    const auto left = static_cast<float>(batch);
    const Samples samples{x, {to_tensor({{left, 1, 30, 36}, {0, left, 36, 30.5f, 1}}), 32, 32}};
    EXPECT_EQ(inference.run(samples).logits.to_vector(), plain->run(samples).logits.value().to_vector());
  }
}

}  // namespace
}  // namespace avs
