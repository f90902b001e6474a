// Commands for a downloaded weight file, and the programs' output.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/backbone.h"
#include "models/weights/imagenet_names.h"
#include "tests/apps/run_program.h"
#include "tests/models/weights/golden.h"

namespace avs {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const std::string kWidthFlag = " --width 0.01";
std::string path(const std::string& name) { return golden::file(name).string(); }

// run_model's output for the golden picture.
Tensor answer(const std::string& model, const std::string& weights, const std::string& at, const std::string& more) {
  const ProgramResult result =
      run_program("run_model", str("--model ", model, " --weights ", weights, " --input ", path("expected.safetensors"),
                                   " --output ", path("y.safetensors"), " --threads 1 --at ", at, more));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  return Checkpoint::load(path("y.safetensors")).tensors.at("y");
}

void expect_near(const Tensor& got, const Tensor& wanted) {
  const std::vector<float> a = got.to_vector(), b = wanted.to_vector();
  ASSERT_EQ(a.size(), b.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(double{a[i]} - b[i], 2);
    norm += std::pow(double{b[i]}, 2);
  }
  EXPECT_LT(std::sqrt(difference / norm), 1e-5);
}

struct Route {
  const char *file, *model, *at, *layout;
};

class Programs : public testing::TestWithParam<Route> {};

TEST_P(Programs, TakeTheFileOrItsConversionAndGiveTheLibrarysNumbers) {
  const Route route = GetParam();
  const Tensor wanted = golden::expected().tensors.at(route.file);
  expect_near(answer(route.model, path(route.file), route.at, kWidthFlag), wanted);

  const ProgramResult imported =
      run_program("import_weights", str("--model ", route.model, " --in ", path(route.file), " --out ",
                                        path("converted.safetensors"), kWidthFlag, " --json"));
  ASSERT_EQ(imported.exit_code, 0) << imported.err;
  const auto report = nlohmann::json::parse(imported.out);
  EXPECT_EQ(report["layout"], route.layout);
  EXPECT_GT(report["used"].size(), 100u);
  EXPECT_EQ(report["classes"], std::string(route.at) == "logits" ? 5 : 0);
  expect_near(answer(route.model, path("converted.safetensors"), route.at, ""), wanted);
}

INSTANTIATE_TEST_SUITE_P(
    Weights, Programs,
    testing::Values(Route{"inception_torch.pth", "vis-inc", "logits", "PyTorch zip archive with torchvision's names"},
                    Route{"inception_keras_legacy.h5", "vis-inc", "pool", "Keras legacy HDF5"},
                    Route{"convnext_keras3_top.keras", "vis-conv", "logits", "Keras 3 HDF5 in a .keras archive"},
                    Route{"convnext_timm.safetensors", "vis-conv", "logits", "safetensors with timm's names"}),
    [](const auto& route) { return str(route.index); });

// The digests equal those of coreutils.
TEST(Programs, PrintCountsDigestsAndWhatWasLeftOut) {
  const ProgramResult result = run_program("import_weights", str("--model vis-inc --in ", path("inception_torch.pth"),
                                                                 " --out ", path("converted.safetensors"), kWidthFlag));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, AllOf(HasSubstr("layout      PyTorch zip archive"), HasSubstr("parameters  "),
                                HasSubstr("pools       padding counted"), HasSubstr("AuxLogits."),
                                HasSubstr("more: the auxiliary classifier"), HasSubstr("a classifier of 5 classes")));
  for (const auto& [program, word] : {std::pair{"md5sum ", "md5         "}, {"sha256sum ", "sha256      "}}) {
    FILE* const pipe = popen((program + path("inception_torch.pth")).c_str(), "r");
    ASSERT_NE(pipe, nullptr);
    char digest[65] = {};
    ASSERT_EQ(fscanf(pipe, "%64[0-9a-f]", digest), 1) << program;
    pclose(pipe);
    EXPECT_THAT(result.out, HasSubstr(std::string(word) + digest + "\n"));
  }
}

// A head of 1000 classes gets ImageNet's names: 281 is "tabby".
TEST(Programs, ClassifyImageNamesTheFiveBestOfImageNet) {
  Checkpoint file = Checkpoint::load(golden::file("convnext_timm.safetensors"));
  std::vector<float> bias(1000, 0.0f);
  for (size_t i = 0; i < 5; ++i) bias[281 - i] = 10 - static_cast<float>(i);
  file.tensors["head.fc.weight"] = Tensor::zeros({1000, 8});
  file.tensors["head.fc.bias"] = Tensor::from({1000}, std::span<const float>(bias));
  file.save(path("thousand.safetensors"));
  std::string picture = "P6 96 96 255\n";
  for (const float v : golden::expected().tensors.at("x").to_vector()) picture += static_cast<char>(v);
  const std::string flags =
      str(golden::written("x.ppm", picture).string(), " --weights ", path("thousand.safetensors"), kWidthFlag);
  const ProgramResult result = run_program("classify_image", flags);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  size_t at = 0;
  for (size_t i = 0; i < 5; ++i) {
    at = result.out.find(imagenet_names().at(281 - i), at);
    EXPECT_NE(at, std::string::npos) << imagenet_names().at(281 - i) << " in\n" << result.out;
  }
  EXPECT_THAT(result.out, HasSubstr("%  tabby\n"));
  const auto logits = answer("vis-conv", path("thousand.safetensors"), "logits", kWidthFlag);
  EXPECT_EQ(logits.shape(), (Shape{1, 1000}));
}

// Flags override conventions that the file does not state: torchvision's names with ImageNet's mean and deviation.
TEST(Programs, TakeAnotherInputScaleOrPaddingThanTheOrigins) {
  const auto expected = [](const char* name) { return golden::expected().tensors.at(name); };
  expect_near(answer("vis-inc", path("inception_torch.pth"), "pool", kWidthFlag + " --input-scale imagenet"),
              expected("inception_torch_imagenet_input.pool"));
  const std::vector<float> counted = expected("inception_torch.pth").to_vector(),
                           ignored = answer("vis-inc", path("inception_torch.pth"), "logits",
                                            kWidthFlag + " --pool-padding ignored")
                                         .to_vector();
  double difference = 0;
  for (size_t i = 0; i < counted.size(); ++i)
    difference = std::max(difference, double{std::abs(counted[i] - ignored[i])});
  EXPECT_GT(difference, 1e-3);
  const ProgramResult nothing =
      run_program("train_backbone", "--model vis-inc --cache x --out " + path("never_run") + " --input-scale imagenet");
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_THAT(nothing.err, HasSubstr("about the file of --weights"));
}

TEST(Programs, NeverWriteOverTheFileThatTheyImport) {
  const auto file = golden::written("precious.pth", golden::bytes_of(golden::file("inception_torch.pth")));
  const ProgramResult result =
      run_program("import_weights", str("--model vis-inc --in ", file.string(), " --out ", file.string(), kWidthFlag));
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_THAT(result.err, HasSubstr("would be lost"));
  EXPECT_EQ(golden::bytes_of(file), golden::bytes_of(golden::file("inception_torch.pth")));
}

TEST(Programs, ClassifyImageGoesOnAfterAFileThatIsNoPicture) {
  std::string picture = "P6 96 96 255\n";
  for (const float v : golden::expected().tensors.at("x").to_vector()) picture += static_cast<char>(v);
  const std::string good = golden::written("good.ppm", picture).string(),
                    bad = golden::written("bad.jpg", "no picture").string();
  const ProgramResult result = run_program(
      "classify_image", str(good, " ", bad, " ", good, " --weights ", path("inception_torch.pth"), kWidthFlag));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.out.find(good), 0u);
  EXPECT_NE(result.out.rfind(good), 0u) << "the last picture was not looked at";
  EXPECT_THAT(result.err, AllOf(HasSubstr("bad.jpg"), HasSubstr("1 of 3 files could not be read")));
}

TEST(Programs, SayInOneLineWhatAFileIsInstead) {
  const auto expect = [](const std::string& program, const std::string& arguments, const std::string& words) {
    const ProgramResult result = run_program(program, arguments, "timeout 300");
    EXPECT_EQ(result.exit_code, 1) << result.err;
    const std::string line = result.err.substr(result.err.find(program + ": "));
    EXPECT_THAT(line, AllOf(HasSubstr(words), Not(HasSubstr(".cpp:"))));
    EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1) << line;
  };
  const std::string out = " --out " + path("never.safetensors") + " --in ";
  const auto import = [&](const std::string& model, const std::string& file, const std::string& words) {
    expect("import_weights", "--model " + model + kWidthFlag + out + file, words);
  };
  import("vis-inc", golden::written("page.h5", "<!DOCTYPE html><title>Sign in</title>").string(), "is a web page");
  import("vis-inc", golden::written("lfs.h5", "version https://git-lfs.github.com/spec/v1\nsize 9\n").string(),
         "is a Git LFS pointer");
  const std::string whole = golden::bytes_of(golden::file("inception_keras_legacy.h5"));
  import("vis-inc", golden::written("cut.h5", whole.substr(0, whole.size() / 2)).string(), "truncated");
  import("vis-conv", path("inception_torch.pth"), "holds InceptionV3");
  import("vis-inc", path("absent.h5"), "cannot be opened");
  expect("run_model", str("--model vis-inc --weights ", path("page.h5"), " --input x --output y"), "is a web page");
  expect("run_model",
         str("--model vis-inc --weights ", path("inception_torch.pth"), " --input ", path("expected.safetensors"),
             " --output ", path("y.safetensors")),
         "of another width");
  expect("classify_image", str(path("x.ppm"), " --weights ", path("inception_keras_legacy.h5"), kWidthFlag),
         "has no classifier");
  const std::string pipe = path("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  import("vis-inc", pipe, "pipe: is a named pipe, not a file");
  expect("classify_image",
         str(path("x.ppm"), " --weights ", path("inception_torch.pth"), " --names ", pipe, kWidthFlag),
         "pipe: is a named pipe, not a file");
  EXPECT_FALSE(std::filesystem::exists(path("never.safetensors")));
}

}  // namespace
}  // namespace avs
