// Files of other people's training: our network under a prefix, with its own head, beside its averaged weights, inside
// another Keras model, or beside tensors of non-weight types. The imported body must equal that of the library's own
// file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "models/weights/import.h"
#include "tests/models/weights/hdf5_writer.h"
#include "tests/models/weights/torch_writer.h"

namespace avs {
namespace {

using golden::error_of;
using golden::number;
using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Tensors = std::map<std::string, Tensor>;

Tensors tensors_of(const std::string& golden_file) { return Checkpoint::load(golden::file(golden_file)).tensors; }
Tensors timm() { return tensors_of("convnext_timm.safetensors"); }
Tensors without(Tensors tensors, const std::string& words) {
  std::erase_if(tensors, [&](const auto& item) { return item.first.starts_with(words); });
  return tensors;
}
Tensors renamed(const Tensors& tensors, const std::string& prefix) {
  Tensors all;
  for (const auto& [name, tensor] : tensors) all[prefix + name] = tensor;
  return all;
}
Tensors together(Tensors a, const Tensors& b) {
  a.insert(b.begin(), b.end());
  return a;
}
Tensors zeros_like(const Tensors& tensors) {
  Tensors all;
  for (const auto& [name, tensor] : tensors) all[name] = Tensor::zeros(tensor.shape());
  return all;
}

std::filesystem::path safetensors(const Tensors& tensors) {
  const auto file = golden::file("own_training.safetensors");
  Checkpoint{tensors, {}}.save(file);
  return file;
}

struct Imported {
  ImportReport report;
  std::vector<float> body;  // parameters and statistics
};
Imported imported(const std::string& model, const std::filesystem::path& file) {
  Imported result;
  const auto network =
      make_backbone_from_weights({.model = model, .classes = 3, .width = golden::kWidth}, file, {}, &result.report);
  const auto add = [&](const std::string& path, const Tensor& value) {
    if (!path.starts_with("head.")) std::ranges::copy(value.to_vector(), std::back_inserter(result.body));
  };
  for (const Parameter* p : network->parameters()) add(p->path, p->variable.value());
  for (const Buffer* b : network->buffers()) add(b->path, b->value);
  return result;
}
std::string refusal(const std::string& model, const std::filesystem::path& file) {
  return error_of<DataError>([&] { imported(model, file); });
}

void expect_body_of(const std::string& golden_file, const Imported& got) {
  EXPECT_EQ(got.body, imported(golden::model_of(golden_file), golden::file(golden_file)).body);
}

// ---- prefixes ----

TEST(OwnTraining, ABodyIsFoundBehindAnyPrefix) {
  for (const char* prefix : {"backbone.", "visual.trunk.", "base_model.", "0.", "module.", "model.encoder.0.net."}) {
    SCOPED_TRACE(prefix);
    const Imported convnext = imported("vis-conv", safetensors(renamed(timm(), prefix)));
    expect_body_of("convnext_timm.safetensors", convnext);
    EXPECT_TRUE(convnext.report.head_taken);
    EXPECT_THAT(convnext.report.skipped, IsEmpty());
    expect_body_of("inception_timm.safetensors",
                   imported("vis-inc", safetensors(renamed(tensors_of("inception_timm.safetensors"), prefix))));
  }
}

TEST(OwnTraining, WhatStandsBesideTheBodyIsLeftOutAndSaid) {
  Tensors clip = renamed(without(timm(), "head.fc"), "visual.trunk.");
  for (int i = 0; i < 500; ++i) clip[str("text.layers.", i, ".weight")] = Tensor::zeros({2});
  const Imported got = imported("vis-conv", safetensors(clip));
  expect_body_of("convnext_timm.safetensors", got);
  EXPECT_EQ(got.report.skipped.size(), 500u);
  EXPECT_THAT(got.report.skipped, Each(HasSubstr("names begin with 'visual.trunk.'")));
}

TEST(OwnTraining, TransformersBodyAloneHasNoPrefix) {
  Tensors bare;
  for (const auto& [name, tensor] : tensors_of("convnext_transformers.safetensors"))
    if (name.starts_with("convnext.")) bare[name.substr(9)] = tensor;
  expect_body_of("convnext_transformers.safetensors", imported("vis-conv", safetensors(bare)));
}

// ---- heads of another form ----

TEST(OwnTraining, AHeadOfTheFilesOwnStaysBehind) {
  const Tensors body = without(timm(), "head.fc"),
                head = {{"0.weight", Tensor::zeros({16, 8})}, {"3.weight", Tensor::zeros({4, 16})}};
  for (const Tensors& file :
       {together(renamed(body, "backbone."), renamed(head, "fc.")), together(body, renamed(head, "head.fc.")),
        together(body, renamed(head, "classifier."))}) {
    const Imported got = imported("vis-conv", safetensors(file));
    expect_body_of("convnext_timm.safetensors", got);
    EXPECT_FALSE(got.report.head_taken);
    EXPECT_EQ(got.report.file_classes, 0);
    EXPECT_EQ(got.report.skipped.size(), 2u);
  }
  const Tensors inception = without(tensors_of("inception_timm.safetensors"), "fc.");
  expect_body_of("inception_timm.safetensors",
                 imported("vis-inc", safetensors(together(inception, renamed(head, "fc.")))));
}

// A classifier behind a further layer does not read the pooled features and is not imported, even if its shape fits.
TEST(OwnTraining, AClassifierBehindAnotherLayerIsNotTaken) {
  Tensors file = timm();
  file["head.pre_logits.fc.weight"] = Tensor::zeros({8, 8});
  const Imported got = imported("vis-conv", safetensors(file));
  EXPECT_FALSE(got.report.head_taken);
  EXPECT_THAT(got.report.skipped, AllOf(Contains(HasSubstr("head.fc.weight")), Contains(HasSubstr("pre_logits"))));
}

TEST(OwnTraining, AClassifierOfOtherFeaturesIsNotTaken) {
  Tensors file = tensors_of("inception_timm.safetensors");
  file["fc.weight"] = Tensor::zeros({5, 40});
  const auto network =
      make_backbone_from_weights({.model = "vis-inc", .classes = 3, .width = golden::kWidth}, safetensors(file));
  EXPECT_EQ(network->options().head, HeadKind::Hidden1024);
  EXPECT_EQ(network->options().classes, 3);
  const Imported got = imported("vis-inc", safetensors(file));
  expect_body_of("inception_timm.safetensors", got);
  EXPECT_THAT(got.report.skipped, Contains(HasSubstr("fc.weight: no layer of InceptionV3's body")));
}

TEST(OwnTraining, AnotherLayerInsideABlockIsRefused) {
  Tensors file = renamed(timm(), "backbone.");
  file["backbone.stages.0.blocks.0.grn.weight"] = Tensor::zeros({4});
  EXPECT_THAT(refusal("vis-conv", safetensors(file)), AllOf(HasSubstr("unexpected (1)"), HasSubstr("grn.weight")));
}

// ---- several bodies ----

TEST(OwnTraining, AveragedWeightsAreTakenAndSaid) {
  for (const auto& [plain, average] :
       {std::pair{"model", "model_ema"}, {"state_dict", "state_dict_ema"}, {"state_dict", "model_ema"}}) {
    golden::torch::Writer writer;
    using golden::torch::text;
    const std::string root = golden::torch::dictionary(text(plain) + writer.state_dict(zeros_like(timm())) +
                                                       text(average) + writer.state_dict(timm(), "module."));
    const Imported got = imported("vis-conv", golden::written("average.pth", writer.file(root)));
    expect_body_of("convnext_timm.safetensors", got);
    EXPECT_THAT(got.report.notes, Contains(AllOf(HasSubstr(str("the averaged '", average, ".module.' was taken")),
                                                 HasSubstr(str("'", plain, ".'")))));
    EXPECT_THAT(got.report.skipped, Each(HasSubstr(str("of '", plain, ".', which was not taken"))));
  }
}

TEST(OwnTraining, OfSeveralNetworksTheOneCalledSoIsTaken) {
  golden::torch::Writer writer;
  using golden::torch::text;
  const std::string root = golden::torch::dictionary(text("teacher") + writer.state_dict(zeros_like(timm())) +
                                                     text("state_dict") + writer.state_dict(timm()));
  const Imported got = imported("vis-conv", golden::written("called.pth", writer.file(root)));
  expect_body_of("convnext_timm.safetensors", got);
  EXPECT_THAT(got.report.notes, Contains(HasSubstr("'state_dict.' was taken")));
}

TEST(OwnTraining, TwoNetworksWithoutAnOrderAreOneLineThatNamesThem) {
  const auto file = safetensors(together(renamed(timm(), "student.module."), renamed(timm(), "teacher.module.")));
  EXPECT_THAT(refusal("vis-conv", file),
              AllOf(HasSubstr("'student.module.' and 'teacher.module.'"), Not(HasSubstr("\n"))));
}

TEST(OwnTraining, OfTwoKindsOfNetworkTheOneAskedForIsTaken) {
  const auto file =
      safetensors(together(renamed(timm(), "a."), renamed(tensors_of("inception_timm.safetensors"), "b.")));
  expect_body_of("convnext_timm.safetensors", imported("vis-conv", file));
  expect_body_of("inception_timm.safetensors", imported("vis-inc", file));
}

// ---- tensors that are not needed ----

// A safetensors file with additional entries before timm's tensors.
std::filesystem::path with_entries(const std::string& entries, const std::string& bytes) {
  std::string header = "{" + entries, data = bytes;
  for (const auto& [name, tensor] : timm()) {
    std::string shape;
    for (const int64_t extent : tensor.shape().extents()) shape += str(shape.empty() ? "" : ",", extent);
    header += str(",\"", name, R"(":{"dtype":"F32","shape":[)", shape, R"(],"data_offsets":[)", data.size(), ",",
                  data.size() + tensor.bytes(), "]}");
    data.append(static_cast<const char*>(tensor.raw()), tensor.bytes());
  }
  header += "}";
  return golden::written("entries.safetensors", number(header.size(), 8) + header + data);
}

TEST(OwnTraining, TensorsOfOtherTypesAreOnlyRefusedWhenTheyAreWanted) {
  const auto entry = [](const char* name, const char* type, const char* shape, int bytes) {
    return str('"', name, R"(":{"dtype":")", type, R"(","shape":)", shape, R"(,"data_offsets":[0,)", bytes, "]}");
  };
  const std::string eight(8, '\x7f');
  for (const auto& [type, shape] : {std::pair{"BOOL", "[8]"},
                                    {"F32", "[1,1,1,1,1,2]"},
                                    {"U16", "[4]"},
                                    {"I64", "[1]"},
                                    {"F8_E4M3", "[2,4]"},
                                    {"F4", "[16]"}})
    expect_body_of("convnext_timm.safetensors",
                   imported("vis-conv", with_entries(entry("mask", type, shape, 8), eight)));
  expect_body_of("convnext_timm.safetensors", imported("vis-conv", with_entries(R"("__metadata__":null)", "")));
  Tensors file = timm();
  golden::torch::Writer writer;
  using golden::torch::text;
  const std::string items = writer.items(file) + text("mask") + writer.complex_numbers(5);
  expect_body_of("convnext_timm.safetensors",
                 imported("vis-conv", golden::written("complex.pth", writer.file(golden::torch::dictionary(items)))));

  file.erase("head.norm.bias");
  golden::torch::Writer wanted;
  const std::string root =
      golden::torch::dictionary(wanted.items(file) + text("head.norm.bias") + wanted.complex_numbers(8));
  EXPECT_THAT(refusal("vis-conv", golden::written("complex.pth", wanted.file(root))),
              AllOf(HasSubstr("'head.norm.bias'"), HasSubstr("ComplexFloatStorage, which no weight is")));
}

TEST(OwnTraining, OptionsAndOptimizersBesideTheWeightsAreLeftOut) {
  golden::torch::Writer writer;
  using golden::torch::text;
  const std::string state = std::string("}(K\0", 4) +
                            golden::torch::dictionary(text("exp_avg") + writer.tensor(Tensor::zeros({3}))) + "u",
                    options = std::string("cargparse\nNamespace\n)\x81}(") + text("lr") + "K\x01ub";
  const std::string root =
      golden::torch::dictionary(text("optimizer") + golden::torch::dictionary(text("state") + state) + text("args") +
                                options + text("model") + writer.state_dict(timm()) + text("epoch") + "K\x05");
  const Imported got = imported("vis-conv", golden::written("options.pth", writer.file(root)));
  expect_body_of("convnext_timm.safetensors", got);
  EXPECT_TRUE(got.report.head_taken);
  EXPECT_THAT(got.report.skipped, IsEmpty());
}

// ---- Keras ----

// Copies arrays of a golden file under other names.
class KerasWriter : public golden::Writer {
 public:
  KerasWriter(const std::string& name, const std::string& from)
      : golden::Writer(name),
        tree_(weights::hdf5::read_tree(weights::read_file(golden::file(from)))),
        from_(H5Fopen(golden::file(from).c_str(), H5F_ACC_RDONLY, H5P_DEFAULT)),
        links_(H5Pcreate(H5P_LINK_CREATE)),
        text_(H5Tcopy(H5T_C_S1)) {
    H5Pset_create_intermediate_group(links_, 1);
    H5Tset_size(text_, H5T_VARIABLE);
  }
  ~KerasWriter() { H5Fclose(from_); }
  void copy(const std::string& from, const std::string& to) {
    H5Ocopy(from_, from.c_str(), file(), to.c_str(), H5P_DEFAULT, links_);
  }
  // A layer of the legacy layout that holds all arrays of a golden file.
  void network(const std::string& layer) {
    group(layer);
    std::vector<std::string> names;
    for (const std::string& inner : tree_.texts.at("layer_names"))
      if (const auto found = tree_.child(inner)->texts.find("weight_names"); found != tree_.child(inner)->texts.end())
        for (const std::string& name : found->second) {
          copy(inner + "/" + name, layer + "/" + name);
          names.push_back(name);
        }
    say(layer, "weight_names", names);
  }
  void layer(const std::string& name, const std::vector<std::pair<std::string, std::vector<hsize_t>>>& arrays) {
    group(name);
    group(name + "/top");
    std::vector<std::string> names;
    for (const auto& [array_name, shape] : arrays) {
      array(name + "/top/" + array_name, shape, {});
      names.push_back("top/" + array_name);
    }
    say(name, "weight_names", names);
  }
  void say(const std::string& object, const std::string& attribute, const std::vector<std::string>& values) {
    std::vector<const char*> pointers;
    for (const std::string& value : values) pointers.push_back(value.c_str());
    texts(object, attribute, pointers, text_);
  }

 private:
  weights::hdf5::Node tree_;
  hid_t from_, links_, text_;
};

TEST(OwnTraining, AKerasModelInsideAnotherIsFound) {
  for (const char* golden_file : {"convnext_keras_legacy.h5", "inception_keras_legacy.h5"}) {
    SCOPED_TRACE(golden_file);
    KerasWriter file("nested.h5", golden_file);
    file.say("/", "layer_names", {"conv2d", "backbone", "dense", "batch_normalization", "dense_1"});
    file.layer("conv2d", {{"kernel:0", {1, 1, 3, 3}}});
    file.network("backbone");
    file.layer("dense", {{"kernel:0", {8, 4}}, {"bias:0", {4}}});
    file.layer("batch_normalization", {{"gamma:0", {4}}, {"beta:0", {4}}});
    file.layer("dense_1", {{"kernel:0", {4, 2}}, {"bias:0", {2}}});
    file.close();
    const Imported got = imported(golden::model_of(golden_file), golden::file("nested.h5"));
    expect_body_of(golden_file, got);
    EXPECT_FALSE(got.report.head_taken);
    EXPECT_THAT(got.report.skipped, Contains(HasSubstr("dense_1/top/kernel:0")));
  }
}

TEST(OwnTraining, AKeras3ModelInsideAnotherIsFoundWithAndWithoutNames) {
  for (const char* golden_file : {"inception_keras3.weights.h5", "inception_keras3_no_names.weights.h5",
                                  "convnext_keras3_top_no_names.weights.h5"}) {
    SCOPED_TRACE(golden_file);
    for (const char* place : {"layers/functional/layers", "backbone/layers"}) {
      KerasWriter file("nested.weights.h5", golden_file);
      file.copy("layers", place);
      file.copy("layers/conv2d", "head/first");
      for (const char* dense : {"head/dense", "head/dense_1"}) {
        file.group(dense);
        file.group(str(dense, "/vars"));
        file.array(str(dense, "/vars/0"), {8, 4}, {});
      }
      file.close();
      expect_body_of(golden_file, imported(golden::model_of(golden_file), golden::file("nested.weights.h5")));
    }
  }
}

// InceptionV3's classifier is a layer "dense" in some files. If there are two, neither maps the pooled features to
// classes.
TEST(OwnTraining, OfSeveralDenseLayersNoneIsTheClassifier) {
  for (const int count : {1, 2}) {
    KerasWriter file("dense.weights.h5", "inception_keras3_no_names.weights.h5");
    file.copy("layers", "layers");
    for (int i = 0; i < count; ++i) {
      const std::string dense = i == 0 ? "layers/dense" : "layers/dense_1";
      file.group(dense);
      file.group(dense + "/vars");
      file.array(dense + "/vars/0", {48, 4}, std::vector<float>(192, 0.5f));
      file.array(dense + "/vars/1", {4}, std::vector<float>(4, 0.5f));
    }
    file.close();
    const Imported got = imported("vis-inc", golden::file("dense.weights.h5"));
    expect_body_of("inception_keras3_no_names.weights.h5", got);
    EXPECT_EQ(got.report.head_taken, count == 1);
  }
}

}  // namespace
}  // namespace avs
