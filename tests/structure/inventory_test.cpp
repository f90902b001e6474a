// Every op has all of its files under one stem: `git ls-files '*gelu*'` lists them.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "tests/structure/source_tree.h"

namespace avs::structure {
namespace {

const std::set<std::string> kShared = {"activation"};  // headers in tensor/ops that are no op
const std::set<std::string> kNeverRecorded = {"adam", "load_pictures", "mixup", "reduce",
                                              "softmax"};  // ops without autograd function

std::vector<std::string> stems() {
  std::vector<std::string> found;
  for (const SourceFile& file : source_files())
    if (file.path.starts_with("tensor/ops/") && file.is_header()) {
      const std::string stem = std::filesystem::path(file.path).stem().string();
      if (!kShared.contains(stem)) found.push_back(stem);
    }
  return found;
}

TEST(Inventory, EveryOpHasAllOfItsFiles) {
  ASSERT_FALSE(stems().empty());
  std::vector<std::string> missing;
  for (const std::string& stem : stems()) {
    std::vector<std::string> files = {"tensor/ops/" + stem + ".cpp", "tensor/cpu/" + stem + ".cpp",
                                      "tests/tensor/ops/" + stem + "_test.cpp", "tests/reference/" + stem + ".h",
                                      "bench/ops/" + stem + "_bench.cpp"};
    if (!kNeverRecorded.contains(stem)) files.push_back("autograd/ops/" + stem + ".cpp");
    // conv2d.cpp and linear.cpp choose between kernels in files beside them.
    files.push_back("cuda/" + stem + (exists("cuda/" + stem + ".cpp") ? ".cpp" : ".cu"));
    for (const std::string& file : files)
      if (!exists(file)) missing.push_back(stem + " lacks " + file);
  }
  EXPECT_TRUE(missing.empty()) << listed(missing);
}

TEST(Inventory, EveryRecordedOpIsDeclaredForLayers) {
  std::vector<std::string> missing;
  for (const SourceFile& file : source_files()) {
    if (file.path != "autograd/functions.h") continue;
    for (const std::string& stem : stems()) {
      const std::regex declaration("^Variable " + stem + "\\(");
      const bool declared =
          std::ranges::any_of(file.code, [&](const std::string& line) { return std::regex_search(line, declaration); });
      if (declared == kNeverRecorded.contains(stem)) missing.push_back(stem);
    }
  }
  EXPECT_TRUE(missing.empty()) << "autograd/functions.h lacks, or kNeverRecorded names for nothing:\n"
                               << listed(missing);
}

// Functions of autograd/functions.h that no layer or network calls, and the reason why they stay.
const std::map<std::string, std::string> kCalledByNoLayer = {
    {"add", "networks of one's own: the sum of two values; the tests of autograd/ build their graphs with it"},
    {"gelu", "networks of one's own, and the example of autograd/README.md; ConvNeXt has it inside of mlp"},
    {"linear_gelu", "the first half of mlp, which calls it where nothing is recorded"},
    {"scale_channels", "its gradient is that of scale_residual; checked alone"},
};

TEST(Inventory, EveryDifferentiableFunctionIsCalledByALayerOrANetwork) {
  const std::regex declaration("^Variable (\\w+)\\(");
  std::set<std::string> functions, unused;
  for (const SourceFile& file : source_files())
    if (file.path == "autograd/functions.h")
      for (const std::string& line : file.code)
        if (std::smatch match; std::regex_search(line, match, declaration)) functions.insert(match[1]);
  ASSERT_GT(functions.size(), 10u);
  for (const auto& [name, reason] : kCalledByNoLayer)
    EXPECT_TRUE(functions.contains(name)) << "kCalledByNoLayer names " << name << ", which is not declared";
  for (const std::string& name : functions) {
    const std::regex call("(^|[^\\w:.>])" + name + "\\(");
    const bool called = std::ranges::any_of(source_files(), [&](const SourceFile& file) {
      return file.is_code() && (file.folder() == "layers" || file.folder() == "models") &&
             std::ranges::any_of(file.code, [&](const std::string& line) { return std::regex_search(line, call); });
    });
    if (!called && !kCalledByNoLayer.contains(name)) unused.insert(name);
  }
  EXPECT_TRUE(unused.empty()) << "functions that no layer or network calls:\n"
                              << listed({unused.begin(), unused.end()});
}

TEST(Inventory, EveryFileOfAnOpBelongsToOne) {
  const std::vector<std::string> ops = stems();
  std::vector<std::string> strays;
  const auto check = [&](const SourceFile& file, const std::string& folder, const std::string& suffix) {
    if (!file.path.starts_with(folder) || !file.path.ends_with(suffix)) return;
    const std::string stem = file.path.substr(folder.size(), file.path.size() - folder.size() - suffix.size());
    if (std::ranges::find(ops, stem) == ops.end())
      strays.push_back(file.path + ": there is no tensor/ops/" + stem + ".h");
  };
  for (const SourceFile& file : source_files()) {
    check(file, "autograd/ops/", ".cpp");
    check(file, "tests/tensor/ops/", "_test.cpp");
    check(file, "bench/ops/", "_bench.cpp");
  }
  EXPECT_TRUE(strays.empty()) << listed(strays);
}

TEST(Inventory, ABuildWithoutCudaAnswersForEveryOp) {
  std::vector<std::string> missing;
  for (const SourceFile& file : source_files()) {
    if (file.path != "cuda/disabled.cpp") continue;
    const std::vector<std::string> includes = project_includes(file);
    for (const std::string& stem : stems())
      if (std::ranges::find(includes, "tensor/ops/" + stem + ".h") == includes.end()) missing.push_back(stem);
  }
  EXPECT_TRUE(missing.empty()) << "cuda/disabled.cpp lacks:\n" << listed(missing);
}

TEST(Inventory, EveryChapterHasItsReadme) {
  std::vector<std::string> missing;
  for (const std::string folder :
       {"", "tensor/", "autograd/", "layers/", "cuda/", "audio/", "vision/", "models/", "apps/", "bench/", "tests/"})
    if (!exists(folder + "README.md")) missing.push_back(folder + "README.md");
  EXPECT_TRUE(missing.empty()) << "missing:\n" << listed(missing);
}

}  // namespace
}  // namespace avs::structure
