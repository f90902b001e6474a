// The folders are chapters: each may include earlier ones only.
#include <gtest/gtest.h>

#include <map>

#include "tests/structure/source_tree.h"

namespace avs::structure {
namespace {

// Reading order. cuda/ belongs to tensor/: it implements the twins that tensor/ops declares.
const std::map<std::string, int> kChapters = {{"cuda", 0},   {"tensor", 0}, {"autograd", 1}, {"layers", 2},
                                              {"vision", 3}, {"audio", 4},  {"models", 5},   {"apps", 6},
                                              {"bench", 7},  {"tests", 8}};

std::string chapter_of(const std::string& path) { return path.substr(0, path.find('/')); }

TEST(Layering, IncludesPointToEarlierChapters) {
  std::vector<std::string> upward;
  for (const SourceFile& file : source_files()) {
    if (!file.is_code() || !kChapters.contains(file.folder())) continue;
    for (const std::string& include : project_includes(file)) {
      const auto target = kChapters.find(chapter_of(include));
      if (target == kChapters.end()) continue;  // a library's header
      if (target->second > kChapters.at(file.folder())) upward.push_back(file.path + " includes " + include);
    }
  }
  EXPECT_TRUE(upward.empty()) << listed(upward);
}

TEST(Layering, EveryIncludedProjectHeaderIsNamedFromTheRoot) {
  std::vector<std::string> missing;
  for (const SourceFile& file : source_files()) {
    if (!file.is_code()) continue;
    for (const std::string& include : project_includes(file))
      if (!exists(include)) missing.push_back(file.path + " includes \"" + include + "\", which is not in the project");
  }
  EXPECT_TRUE(missing.empty()) << listed(missing) << "(libraries are included with <...>)";
}

TEST(Layering, OnlyTheBackendSeesBehindTheSeamsOfABackend) {
  std::vector<std::string> leaks;
  for (const SourceFile& file : source_files()) {
    if (!file.is_code()) continue;
    for (const std::string& include : project_includes(file)) {
      const bool of_cuda = include.starts_with("cuda/") && include != "cuda/api.h" &&
                           !(include == "cuda/spectrogram.h" && file.folder() == "audio");
      const bool has_kernels = file.folder() == "cuda" || file.path.starts_with("bench/variants/");
      if (of_cuda && !has_kernels && file.folder() != "tests")
        leaks.push_back(file.path + " includes " + include +
                        "; outside cuda/ only cuda/api.h may be included, and in audio/ cuda/spectrogram.h");
      const bool of_cpu = include.starts_with("tensor/cpu/");
      if (of_cpu && file.folder() != "tensor" && file.folder() != "tests" && file.folder() != "bench")
        leaks.push_back(file.path + " includes " + include + "; tensor/cpu/ is how the CPU does it");
    }
  }
  EXPECT_TRUE(leaks.empty()) << listed(leaks);
}

TEST(Layering, OneHeaderIncludesOneDnn) {
  std::vector<std::string> files;
  for (const SourceFile& file : source_files())
    for (const std::string& line : file.code)
      if (file.is_code() && line.find("#include") != std::string::npos && line.find("dnnl") != std::string::npos)
        files.push_back(file.path);
  EXPECT_EQ(files, std::vector<std::string>{"tensor/cpu/onednn.h"});
}

}  // namespace
}  // namespace avs::structure
