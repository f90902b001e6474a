#include "models/backbone.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include "tests/models/small_backbones.h"

namespace avs {
namespace {

// Number of values before the head (Keras' parameters without top), trainable and all.
struct Count {
  int64_t trainable = 0, buffers = 0;
};
Count count_of_body(Backbone& backbone) {
  Count count;
  for (const Parameter* p : backbone.parameters())
    if (!p->path.starts_with("head.")) count.trainable += p->variable.value().size();
  for (const Buffer* b : backbone.buffers()) count.buffers += b->value.size();
  return count;
}

TEST(Backbone, InceptionV3HasExactlyKerasParameters) {
  const auto backbone = make_backbone({.model = "vis-inc"});
  const Count count = count_of_body(*backbone);
  EXPECT_EQ(count.trainable, 21'768'352);
  EXPECT_EQ(count.trainable + count.buffers, 21'802'784);
  EXPECT_EQ(backbone->features(), 2048);
  int64_t convolutions = 0;
  for (const Parameter* p : backbone->parameters()) convolutions += p->variable.shape().rank() == 4;
  EXPECT_EQ(convolutions, 94);
}

TEST(Backbone, ConvNextTinyHasExactlyKerasParameters) {
  const auto backbone = make_backbone({.model = "vis-conv"});
  const Count count = count_of_body(*backbone);
  EXPECT_EQ(count.trainable, 27'820'128);
  EXPECT_EQ(count.buffers, 0);
  EXPECT_EQ(backbone->features(), 768);
}

// 33.6 million in three networks with heads; the paper says about 36 (docs/paper.md).
TEST(Backbone, ResidualInceptionHasElevenMillionParametersWithItsHead) {
  const auto backbone = make_backbone({.model = "aud-mel"});
  EXPECT_EQ(count_of_body(*backbone).trainable, 10'129'100);
  EXPECT_EQ(backbone->parameter_count(), 11'188'950);
  EXPECT_EQ(backbone->features(), 1024);
}

// The numbers of a text that have the form 1,234,567.
std::set<std::string> long_numbers(const std::string& text) {
  const std::regex number("\\d{1,3}(,\\d{3})+");
  return {std::sregex_token_iterator(text.begin(), text.end(), number), {}};
}

std::string with_commas(int64_t value) {
  std::string digits = std::to_string(value);
  for (size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
  return digits;
}

TEST(Backbone, HeadersAndTheTableOfNetworksStateTheCountsThatAreTrue) {
  const std::map<std::string, std::string> headers = {{"aud-mel", "models/residual_inception.h"},
                                                      {"vis-inc", "models/inception_v3.h"},
                                                      {"vis-conv", "models/convnext_tiny.h"}};
  for (const auto& [model, header] : headers) {
    const auto backbone = make_backbone({.model = model});
    const Count count = count_of_body(*backbone);
    const std::set<std::string> counts = {with_commas(count.trainable), with_commas(count.buffers),
                                          with_commas(count.trainable + count.buffers),
                                          with_commas(backbone->parameter_count())};
    std::ifstream page(AVS_SOURCE_DIR "/models/README.md"), file(AVS_SOURCE_DIR "/" + header);
    std::string stated, row;
    for (std::string line; std::getline(file, line);) stated += line.starts_with("//") ? line + "\n" : "";
    while (std::getline(page, row) && row.find("| `" + model + "`") != 0) continue;
    for (const std::string& text : {stated, row}) {
      EXPECT_TRUE(long_numbers(text).contains(with_commas(count.trainable))) << header << " and its row: " << text;
      for (const std::string& number : long_numbers(text))
        EXPECT_TRUE(counts.contains(number)) << number << " is no count of " << model << ": " << text;
    }
  }
}

TEST(Backbone, EveryParameterHasANameOfItsOwn) {
  for (const std::string& model : backbone_names()) {
    const auto backbone = make_backbone(small_options(model));
    std::set<std::string> names;
    for (const Parameter* p : backbone->parameters()) EXPECT_TRUE(names.insert(p->path).second) << p->path;
    for (const Buffer* b : backbone->buffers()) EXPECT_TRUE(names.insert(b->path).second) << b->path;
  }
}

std::map<std::string, Shape> stage_shapes(const std::string& model, double width, const Shape& input) {
  const auto backbone = make_backbone({.model = model, .width = width});
  backbone->eval();
  std::map<std::string, Shape> shapes;
  backbone->observe([&](const std::string& stage, const Variable& y) { shapes[stage] = y.shape(); });
  const NoGrad no_grad;
  const BackboneOutput output = backbone->run(random_input(input, 1));
  for (const std::string& stage : backbone->stages()) EXPECT_TRUE(shapes.contains(stage)) << stage;
  EXPECT_EQ(output.pool.shape(), (Shape{input[0], backbone->features()}));
  EXPECT_EQ(output.fc1024.shape(), (Shape{input[0], 1024}));
  EXPECT_EQ(output.logits.shape(), (Shape{input[0], 10}));
  return shapes;
}

TEST(Backbone, InceptionV3HasKerasStages) {
  const auto shapes = stage_shapes("vis-inc", 1.0, {1, 299, 299, 3});
  EXPECT_EQ(shapes.at("stem"), (Shape{1, 35, 35, 192}));
  EXPECT_EQ(shapes.at("mixed0"), (Shape{1, 35, 35, 256}));
  for (const char* stage : {"mixed1", "mixed2"}) EXPECT_EQ(shapes.at(stage), (Shape{1, 35, 35, 288}));
  for (const char* stage : {"mixed3", "mixed4", "mixed5", "mixed6", "mixed7"})
    EXPECT_EQ(shapes.at(stage), (Shape{1, 17, 17, 768}));
  EXPECT_EQ(shapes.at("mixed8"), (Shape{1, 8, 8, 1280}));
  for (const char* stage : {"mixed9", "mixed10"}) EXPECT_EQ(shapes.at(stage), (Shape{1, 8, 8, 2048}));
}

TEST(Backbone, ConvNextTinyHalvesThreeTimesBehindAStemOfFour) {
  const auto shapes = stage_shapes("vis-conv", 1.0, {1, 64, 96, 3});
  EXPECT_EQ(shapes.at("stem"), (Shape{1, 16, 24, 96}));
  EXPECT_EQ(shapes.at("stage0"), (Shape{1, 16, 24, 96}));
  EXPECT_EQ(shapes.at("stage1"), (Shape{1, 8, 12, 192}));
  EXPECT_EQ(shapes.at("stage2"), (Shape{1, 4, 6, 384}));
  EXPECT_EQ(shapes.at("stage3"), (Shape{1, 2, 3, 768}));
}

TEST(Backbone, ResidualInceptionHalvesAfterEachOfItsFiveStages) {
  const auto shapes = stage_shapes("aud-gam", 0.25, {1, 128, 704, 6});
  EXPECT_EQ(shapes.at("stage1"), (Shape{1, 64, 352, 16}));
  EXPECT_EQ(shapes.at("stage2"), (Shape{1, 32, 176, 32}));
  EXPECT_EQ(shapes.at("stage3"), (Shape{1, 16, 88, 64}));
  EXPECT_EQ(shapes.at("stage4"), (Shape{1, 8, 44, 128}));
  EXPECT_EQ(shapes.at("stage5"), (Shape{1, 4, 22, 256}));
}

TEST(Backbone, SmallestInputsWorkAndSmallerOnesAreRefused) {
  for (const std::string& model : backbone_names()) {
    const auto backbone = make_backbone(small_options(model));
    backbone->eval();
    const NoGrad no_grad;
    const Shape smallest = small_input(model, 1);
    EXPECT_EQ(backbone->run(random_input(smallest, 1)).logits.shape(), (Shape{1, 10})) << model;
    const Shape too_small = smallest.with(1, smallest[1] - 1);
    EXPECT_THAT(error_of<ShapeError>([&] { backbone->run(random_input(too_small, 1)); }),
                testing::AllOf(testing::HasSubstr(str("h and w at least ", smallest[1])),
                               testing::HasSubstr(str("in backbone ", model))));
  }
}

TEST(Backbone, PixelsAreTheSameAsBytesAndAsFloats) {
  std::vector<uint8_t> pixels(75 * 75 * 3);
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<uint8_t>(i * 37 % 256);
  const std::vector<float> floats(pixels.begin(), pixels.end());
  for (const std::string model : {"vis-inc", "vis-conv"}) {
    const auto backbone = make_backbone(small_options(model));
    backbone->eval();
    const NoGrad no_grad;
    const Tensor bytes = Tensor::from({1, 75, 75, 3}, std::span<const uint8_t>(pixels));
    const Tensor numbers = Tensor::from({1, 75, 75, 3}, std::span<const float>(floats));
    EXPECT_EQ(backbone->run(bytes).logits.value().to_vector(), backbone->run(numbers).logits.value().to_vector());
  }
}

TEST(Backbone, InitialWeightsDependOnTheSeedAndThePathAlone) {
  const auto a = make_backbone(small_options("aud-mel")), b = make_backbone(small_options("aud-cqt"));
  BackboneOptions other_seed = small_options("aud-mel"), other_classes = small_options("aud-mel");
  other_seed.seed = 2;
  other_classes.classes = 3;
  const auto c = make_backbone(other_seed), d = make_backbone(other_classes);
  const auto weight = [](Backbone& backbone, const std::string& path) {
    for (const Parameter* p : backbone.parameters())
      if (p->path == path) return p->variable.value().to_vector();
    return std::vector<float>{};
  };
  const std::string path = "stage2.inception1.branch3x3.weight";
  ASSERT_FALSE(weight(*a, path).empty());
  EXPECT_EQ(weight(*a, path), weight(*b, path));
  EXPECT_EQ(weight(*a, path), weight(*d, path));
  EXPECT_NE(weight(*a, path), weight(*c, path));
  EXPECT_NE(weight(*a, path), weight(*a, "stage2.inception2.branch3x3.weight"));
}

TEST(Backbone, WeightsDrawnLaterAreThoseDrawnAtOnce) {
  const auto values = [](Backbone& backbone, const std::string& below) {
    std::vector<float> all;
    for (const Parameter* p : backbone.parameters())
      if (p->path.starts_with(below)) std::ranges::copy(p->variable.value().to_vector(), std::back_inserter(all));
    return all;
  };
  const auto is_zero = [](float value) { return value == 0.0f; };
  for (const std::string& model : backbone_names()) {
    SCOPED_TRACE(model);
    const auto at_once = make_backbone(small_options(model));
    const auto later = make_backbone(small_options(model), FirstWeights::NotDrawn);
    EXPECT_TRUE(std::ranges::all_of(values(*later, "head."), is_zero));
    later->draw_head();
    EXPECT_EQ(values(*later, "head."), values(*at_once, "head."));
    EXPECT_NE(values(*later, ""), values(*at_once, ""));
    later->draw_weights();
    EXPECT_EQ(values(*later, ""), values(*at_once, ""));
  }
}

TEST(Backbone, OptionsSurviveJson) {
  const BackboneOptions options{.model = "vis-inc",
                                .classes = 7,
                                .width = 0.3,
                                .image_size = 160,
                                .dropout = 0.35f,
                                .pool_padding = PoolPadding::Counted,
                                .batch_norm_new_value_weight = 0.1f,
                                .seed = 18446744073709551615u};
  EXPECT_EQ(backbone_options_from_json(to_json(options)), options);
  EXPECT_THAT(to_json(options), testing::HasSubstr("\"dropout\":0.35"));
  EXPECT_THAT(error_of<DataError>([] { backbone_options_from_json("{}"); }), testing::HasSubstr("model"));
}

// A frozen stage gives in training mode the output of inference, also after another step.
TEST(Backbone, FreezingAStageKeepsItAndEverythingBeforeItAsItIs) {
  for (const std::string& model : backbone_names()) {
    BackboneOptions options = small_options(model);
    options.dropout = 0;
    const auto net = make_backbone(options);
    const std::vector<std::string> stages = net->stages();
    const std::string last = stages.at(2);
    const Tensor x = random_input(small_input(model, 2), 5);
    std::map<std::string, std::vector<float>> outputs;
    net->observe([&](const std::string& stage, const Variable& y) { outputs[stage] = y.value().to_vector(); });
    const auto statistics = [&] {
      std::map<std::string, std::vector<float>> values;
      for (const Buffer* b : net->buffers()) values[b->path] = b->value.to_vector();
      return values;
    };
    net->train();
    net->run(x);  // statistics other than 0 and 1

    net->freeze_through(last);
    net->eval();
    {
      const NoGrad no_grad;
      net->run(x);
    }
    const std::vector<float> at_inference = outputs.at(last);
    const auto before = statistics();
    net->train();
    const Variable loss = softmax_kl(net->run(x).logits, Tensor::full({2, options.classes}, 0.1f), 1e-7f);
    EXPECT_LT(relative_error(to_double(Tensor::from({static_cast<int64_t>(at_inference.size())},
                                                    std::span<const float>(outputs.at(last)))),
                             reference::Vector(at_inference.begin(), at_inference.end())),
              1e-5)
        << model;
    loss.backward();

    bool frozen = true;
    for (const Parameter* p : net->parameters()) {
      frozen = frozen && !p->path.starts_with(stages.at(3) + ".") && !p->path.starts_with("down2.");
      EXPECT_EQ(p->variable.grad().defined(), !frozen) << model << " " << p->path;
    }
    EXPECT_FALSE(frozen);
    for (const auto& [path, values] : statistics()) {
      const bool early = path.starts_with("input_bn.") ||
                         std::any_of(stages.begin(), stages.begin() + 3,
                                     [&at = path](const std::string& stage) { return at.starts_with(stage + "."); });
      EXPECT_EQ(values == before.at(path), early) << model << " " << path;
    }
  }
}

TEST(Backbone, AStageThatIsNoneIsToldTheStages) {
  const auto net = make_backbone(small_options("vis-conv"));
  EXPECT_THAT(
      error_of<UsageError>([&] { net->freeze_through("stage4"); }),
      testing::HasSubstr("vis-conv has no stage 'stage4'; its stages are stem, stage0, stage1, stage2, stage3"));
  EXPECT_THAT(error_of<UsageError>([&] { net->freeze_through("head"); }), testing::HasSubstr("no stage 'head'"));
  for (const Parameter* p : net->parameters()) EXPECT_TRUE(p->variable.requires_grad()) << p->path;
}

TEST(Backbone, UnknownModelsAndSenselessOptionsAreUsageErrors) {
  EXPECT_THAT(error_of<UsageError>([] { make_backbone({.model = "resnet"}); }),
              testing::HasSubstr("'resnet'; the models are aud-mel, aud-gam, aud-cqt, vis-inc, vis-conv"));
  EXPECT_THAT(error_of<UsageError>([] { make_backbone({.model = "vis-inc", .classes = 1}); }),
              testing::HasSubstr("at least 2 classes, got 1"));
  EXPECT_THAT(error_of<UsageError>([] { make_backbone({.model = "vis-inc", .width = 0}); }),
              testing::HasSubstr("width"));
  EXPECT_THAT(error_of<UsageError>([] { make_backbone({.model = "vis-inc", .image_size = 64}); }),
              testing::HasSubstr("75 to 512, got 64"));
}

TEST(Backbone, AnErrorDeepInsideNamesTheLayersOnItsWayOut) {
  const auto backbone = make_backbone(small_options("vis-inc"));
  for (Parameter* p : backbone->parameters())
    if (p->path == "mixed3.branch3x3.0.conv.weight") p->variable.set_value(Tensor::zeros({8, 3, 3, 5}));
  EXPECT_THAT(error_of<ShapeError>([&] {
                backbone->run(random_input({1, 75, 75, 3}, 1));
              }),
              testing::AllOf(testing::HasSubstr("in layer 'mixed3.branch3x3.0.conv' with input [1, "),
                             testing::HasSubstr("in layer 'mixed3.branch3x3.0' with input [1, "),
                             testing::HasSubstr("in layer 'mixed3' with input [1, "),
                             testing::HasSubstr("in backbone vis-inc with input [1, 75, 75, 3]")));
}

}  // namespace
}  // namespace avs
