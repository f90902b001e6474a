// Files of each library give that library's outputs, by every route; and each difference between libraries matters.
#include "models/weights/import.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/models/weights/golden.h"

namespace avs {
namespace {

using golden::error_of;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

double relative_error(const std::vector<float>& got, const std::vector<float>& wanted) {
  EXPECT_EQ(got.size(), wanted.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < std::min(got.size(), wanted.size()); ++i) {
    difference += std::pow(double{got[i]} - wanted[i], 2);
    norm += std::pow(double{wanted[i]}, 2);
  }
  return std::sqrt(difference / norm);
}

std::vector<float> answer(Backbone& network, bool logits) {
  const NoGrad no_grad;
  const BackboneOutput output = network.run(golden::expected().tensors.at("x"));
  return (logits ? output.logits : output.pool).value().to_vector();
}

BackboneOptions base(const std::string& model) { return {.model = model, .classes = 3, .width = golden::kWidth}; }

struct Golden {
  const char* file;
  const char* layout;
  double tolerance = 1e-5;  // measured: below 1e-6 except for 16-bit types
};

class EveryRoute : public testing::TestWithParam<Golden> {};

TEST_P(EveryRoute, GivesTheLibrarysOwnNumbers) {
  const Golden golden = GetParam();
  ImportReport report;
  const auto network =
      make_backbone_from_weights(base(golden::model_of(golden.file)), golden::file(golden.file), {}, &report);
  EXPECT_EQ(report.layout, golden.layout);
  EXPECT_LT(
      relative_error(answer(*network, report.file_classes > 0), golden::expected().tensors.at(golden.file).to_vector()),
      golden.tolerance);
  EXPECT_TRUE(report.notes.empty()) << report.notes.front();
}

INSTANTIATE_TEST_SUITE_P(
    Weights, EveryRoute,
    testing::Values(
        Golden{"inception_keras_legacy.h5", "Keras legacy HDF5"},
        Golden{"inception_keras_legacy_split.h5", "Keras legacy HDF5"},
        Golden{"inception_keras3.weights.h5", "Keras 3 HDF5"},
        Golden{"inception_keras3_no_names.weights.h5", "Keras 3 HDF5 with Keras' layers in the order of depth"},
        Golden{"inception_keras_legacy_top.h5", "Keras legacy HDF5"},
        Golden{"inception_keras_whole_model.h5", "Keras legacy HDF5"},
        Golden{"inception_keras3_top.keras", "Keras 3 HDF5 in a .keras archive"},
        Golden{"inception_torch.pth", "PyTorch zip archive with torchvision's names"},
        Golden{"inception_torch_legacy.pth", "PyTorch legacy stream with torchvision's names"},
        Golden{"inception_timm.safetensors", "safetensors with torchvision's names"},
        Golden{"convnext_keras_legacy.h5", "Keras legacy HDF5"},
        Golden{"convnext_keras_legacy_top.h5", "Keras legacy HDF5"},
        Golden{"convnext_keras3_top.keras", "Keras 3 HDF5 in a .keras archive"},
        Golden{"convnext_keras3_top_no_names.weights.h5", "Keras 3 HDF5"},
        Golden{"convnext_timm.safetensors", "safetensors with timm's names"},
        Golden{"convnext_timm_bf16.safetensors", "safetensors with timm's names", 3e-2},  // 8 bits of precision
        Golden{"convnext_timm_f16.safetensors", "safetensors with timm's names", 3e-3},
        Golden{"convnext_timm_f16.pt", "PyTorch zip archive with timm's names", 3e-3},  // 11 bits of precision
        Golden{"convnext_timm_legacy.pth", "PyTorch legacy stream with timm's names"},
        Golden{"convnext_torchvision.pth", "PyTorch zip archive with torchvision's names"},
        Golden{"convnext_transformers.safetensors", "safetensors with the names of Hugging Face transformers"}),
    [](const auto& route) {
      std::string name = route.param.file;
      std::replace_if(
          name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
      return name;
    });

TEST(Weights, AreRecognisedByContentNotByName) {
  for (const char* name : {"inception_torch.pth", "inception_keras_legacy.h5", "convnext_timm.safetensors"}) {
    const auto disguised = golden::written("weights.txt", golden::bytes_of(golden::file(name)));
    const auto network = make_backbone_from_weights(base(golden::model_of(name)), disguised);
    EXPECT_LT(relative_error(answer(*network, network->options().head == HeadKind::Direct),
                             golden::expected().tensors.at(name).to_vector()),
              1e-5)
        << name;
  }
}

// ---- differences between libraries ----

TEST(Weights, PoolPaddingIsThatOfTheOriginAndAnOptionOverrides) {
  const auto torch = golden::file("inception_torch.pth"), keras = golden::file("inception_keras_legacy.h5");
  EXPECT_EQ(WeightFile(torch, "vis-inc").options(base("vis-inc")).pool_padding, PoolPadding::Counted);
  EXPECT_EQ(WeightFile(keras, "vis-inc").options(base("vis-inc")).pool_padding, PoolPadding::Ignored);
  const ImportOptions ignored{.pool_padding = PoolPadding::Ignored, .input_scale = {}};
  const auto network = make_backbone_from_weights(base("vis-inc"), torch, ignored);
  EXPECT_EQ(network->options().pool_padding, PoolPadding::Ignored);
  EXPECT_GT(relative_error(answer(*network, true), golden::expected().tensors.at("inception_torch.pth").to_vector()),
            1e-3)
      << "the choice must be seen in the numbers";
  const auto otherwise = make_backbone(base("vis-inc"));  // it ignores padding; the file's library counts it
  EXPECT_THAT(error_of<UsageError>([&] { golden::load(*otherwise, torch); }), HasSubstr("padding"));
}

TEST(Weights, InputScaleIsThatOfTheOriginAndAnOptionOverrides) {
  // torchvision's network without transform_input expects input normalised by ImageNet's mean and deviation.
  const ImportOptions imagenet{.pool_padding = {}, .input_scale = InputScale::ImageNet};
  ImportReport report;
  const auto network =
      make_backbone_from_weights(base("vis-inc"), golden::file("inception_torch.pth"), imagenet, &report);
  EXPECT_LT(relative_error(answer(*network, false),
                           golden::expected().tensors.at("inception_torch_imagenet_input.pool").to_vector()),
            1e-5);
  EXPECT_EQ(report.input_scale, InputScale::ImageNet);
  EXPECT_THAT(report.notes, Contains(HasSubstr("first convolution")));
}

// The reverse for ConvNeXt: weights trained on -1..1 in a network that normalises by ImageNet's mean.
TEST(Weights, AFirstConvolutionTrainedOnSignedInputIsConverted) {
  const ImportOptions as_signed{.pool_padding = {}, .input_scale = InputScale::MinusOneToOne};
  const auto file = golden::file("convnext_timm.safetensors");
  const auto converted = make_backbone_from_weights(base("vis-conv"), file, as_signed);
  const auto plain = make_backbone_from_weights(base("vis-conv"), file);
  // Pixels x' for which the unconverted network computes the same: (x'/255 - m)/d = x/127.5 - 1.
  const float mean[] = {0.485f, 0.456f, 0.406f}, deviation[] = {0.229f, 0.224f, 0.225f};
  const Tensor x = golden::expected().tensors.at("x");
  std::vector<float> moved = x.to_vector();
  for (size_t i = 0; i < moved.size(); ++i) moved[i] = ((moved[i] / 127.5f - 1) * deviation[i % 3] + mean[i % 3]) * 255;
  const NoGrad no_grad;
  const Variable wanted = plain->run(Tensor::from(x.shape(), std::span<const float>(moved))).pool;
  EXPECT_LT(relative_error(answer(*converted, false), wanted.value().to_vector()), 1e-5);
}

TEST(Weights, ABatchNormGammaIsKeptWhereTheNetworkHasOneAndFoldedWhereNot) {
  const auto file = golden::file("inception_torch.pth");
  EXPECT_EQ(WeightFile(file, "vis-inc").options(base("vis-inc")).batch_norm_gamma, Gamma::Learned);
  BackboneOptions without = WeightFile(file, "vis-inc").options(base("vis-inc"));
  without.batch_norm_gamma = Gamma::One;
  without.head = HeadKind::Direct;
  without.classes = 5;
  const auto network = make_backbone(without);
  network->eval();
  const ImportReport report = golden::load(*network, file);
  EXPECT_LT(relative_error(answer(*network, true), golden::expected().tensors.at("inception_torch.pth").to_vector()),
            1e-5);
  EXPECT_THAT(report.notes, Contains(HasSubstr("94 BatchNorm gammas")));
}

TEST(Weights, ANetworkWithGammaTakesOneFromAFileWithout) {
  BackboneOptions with = base("vis-inc");
  with.batch_norm_gamma = Gamma::Learned;
  const auto network = make_backbone(with);
  network->eval();
  const ImportReport report = golden::load(*network, golden::file("inception_keras_legacy.h5"));
  EXPECT_LT(
      relative_error(answer(*network, false), golden::expected().tensors.at("inception_keras_legacy.h5").to_vector()),
      1e-5);
  EXPECT_THAT(report.defaults, Contains(HasSubstr("94 BatchNorm gammas")));
}

// Keras' published file without top has gamma 1 in the last norm. Filters of [7, 7, c, 1] are a variant of the same
// file.
TEST(Weights, KerasLastLayerNormAtOneIsLoadedAndSaidSo) {
  for (const char* name : {"convnext_keras_plain_norm.h5", "convnext_keras_no_norm.h5", "convnext_keras_hwc1.h5"}) {
    SCOPED_TRACE(name);
    ImportReport report;
    const auto network = make_backbone_from_weights(base("vis-conv"), golden::file(name), {}, &report);
    EXPECT_LT(relative_error(answer(*network, false), golden::expected().tensors.at(name).to_vector()), 1e-5);
    std::vector<std::string> said = report.notes;
    said.insert(said.end(), report.defaults.begin(), report.defaults.end());
    EXPECT_THAT(said, Contains(testing::AnyOf(HasSubstr("last LayerNorm"), HasSubstr("norm.gain: 1"))));
  }
  ImportReport report;
  make_backbone_from_weights(base("vis-conv"), golden::file("convnext_keras_legacy.h5"), {}, &report);
  EXPECT_THAT(report.notes, Not(Contains(HasSubstr("last LayerNorm"))));
  EXPECT_THAT(report.used, Contains(HasSubstr("layer_normalization")));
}

TEST(Weights, AuxiliaryClassifierAndCountersAreSkippedWithAReason) {
  ImportReport report;
  make_backbone_from_weights(base("vis-inc"), golden::file("inception_torch.pth"), {}, &report);
  EXPECT_THAT(report.skipped, Contains(AllOf(HasSubstr("AuxLogits.fc.weight"), HasSubstr("training"))));
  EXPECT_THAT(report.skipped, Contains(HasSubstr("num_batches_tracked: a counter")));
  EXPECT_THAT(report.used, Not(Contains(HasSubstr("AuxLogits"))));
}

// ---- heads ----

std::vector<float> head_of(Backbone& network) {
  std::vector<float> values;
  for (const Parameter* p : network.parameters())
    if (p->path.starts_with("head.")) std::ranges::copy(p->variable.value().to_vector(), std::back_inserter(values));
  return values;
}

TEST(Weights, WhatTheFileHasNoHeadForBeginsAsTheSeedDrawsIt) {
  for (const char* file : {"inception_keras_legacy.h5", "convnext_keras_legacy.h5"}) {
    SCOPED_TRACE(file);
    ImportReport report;
    const auto network = make_backbone_from_weights(base(golden::model_of(file)), golden::file(file), {}, &report);
    ASSERT_FALSE(report.head_taken);
    EXPECT_EQ(head_of(*network), head_of(*make_backbone(network->options())));
  }
}

TEST(Weights, AClassifierOfOtherClassesIsSkippedAndTheHeadKeepsItsValues) {
  const auto network = make_backbone(base("vis-conv"));
  const std::vector<float> head_before = head_of(*network);
  const ImportReport report = golden::load(*network, golden::file("convnext_timm.safetensors"));
  EXPECT_THAT(report.skipped, Contains(AllOf(HasSubstr("head.fc.weight"), HasSubstr("5 classes"))));
  EXPECT_THAT(report.defaults, Contains(HasSubstr("head:")));
  EXPECT_EQ(head_of(*network), head_before);
}

TEST(Weights, OurOwnCheckpointsGoThroughTheSameDoor) {
  const auto from = make_backbone_from_weights(base("vis-inc"), golden::file("inception_torch.pth"));
  Checkpoint checkpoint;
  store_parameters(*from, checkpoint);
  checkpoint.metadata[kBackboneKey] = to_json(from->options());
  checkpoint.save(golden::file("own.safetensors"));
  const auto again = make_backbone_from_weights({.model = "vis-inc"}, golden::file("own.safetensors"));
  EXPECT_EQ(again->options(), from->options());
  EXPECT_EQ(answer(*again, true), answer(*from, true));

  checkpoint.metadata[kUntrainedHeadKey] = "test";
  checkpoint.save(golden::file("own.safetensors"));
  const auto fresh = make_backbone(from->options());
  const ImportReport report = golden::load(*fresh, golden::file("own.safetensors"));
  EXPECT_THAT(report.skipped, Contains(AllOf(HasSubstr("head.classes"), HasSubstr("never trained"))));
  EXPECT_THAT(error_of<DataError>([] { WeightFile(golden::file("own.safetensors"), "vis-conv"); }),
              HasSubstr("is a checkpoint of vis-inc"));
}

TEST(Weights, AHeadOfAnotherFormStaysBehind) {
  const auto direct = make_backbone_from_weights(base("vis-conv"), golden::file("convnext_timm.safetensors"));
  const auto hidden = make_backbone(base("vis-conv"));
  for (Backbone* from : {direct.get(), hidden.get()}) {
    Checkpoint checkpoint;
    store_parameters(*from, checkpoint);
    checkpoint.metadata[kBackboneKey] = to_json(from->options());
    checkpoint.save(golden::file("head.safetensors"));
    BackboneOptions other = from->options();
    other.head = other.head == HeadKind::Direct ? HeadKind::Hidden1024 : HeadKind::Direct;
    other.classes = 7;
    const auto network = make_backbone(other);
    network->eval();
    const ImportReport report = golden::load(*network, golden::file("head.safetensors"));
    EXPECT_THAT(report.skipped, Contains(HasSubstr("head.classes.weight")));
    from->eval();
    EXPECT_EQ(answer(*network, false), answer(*from, false));
  }
}

TEST(Weights, OurOwnSoundNetworksGoThroughTheSameDoor) {
  const auto from = make_backbone({.model = "aud-mel", .classes = 3, .width = 0.05, .seed = 8});
  Checkpoint checkpoint;
  store_parameters(*from, checkpoint);
  checkpoint.metadata[kBackboneKey] = to_json(from->options());
  checkpoint.save(golden::file("sound.safetensors"));
  const auto other = make_backbone({.model = "aud-mel", .classes = 3, .width = 0.05, .seed = 9});
  golden::load(*other, golden::file("sound.safetensors"));
  EXPECT_EQ(other->parameters().front()->variable.value().to_vector(),
            from->parameters().front()->variable.value().to_vector());
  EXPECT_EQ(head_of(*other), head_of(*from));
}

}  // namespace
}  // namespace avs
