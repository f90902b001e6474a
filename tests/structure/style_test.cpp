// Rules for every file: short files and functions, headers with a description, no leftovers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <regex>
#include <set>

#include "tests/structure/source_tree.h"

namespace avs::structure {
namespace {

constexpr size_t kFileLines = 500, kFunctionLines = 60;

std::string at(const SourceFile& file, size_t line) { return file.path + ":" + std::to_string(line + 1); }

// Matching lines of code (without comments) in files that `wanted` selects.
template <typename Wanted>
std::vector<std::string> lines_matching(const std::regex& pattern, Wanted wanted) {
  std::vector<std::string> found;
  for (const SourceFile& file : source_files())
    if (file.is_code() && wanted(file))
      for (size_t i = 0; i < file.code.size(); ++i)
        if (std::regex_search(file.code[i], pattern)) found.push_back(at(file, i) + ": " + file.lines[i]);
  return found;
}

// Only models/file.cpp writes and removes files, so that its guarantees hold for all of them. The exception is
// cuda/plan_file.cpp, an earlier chapter, which appends lines.
TEST(Style, FilesAreWrittenAndRemovedInOnePlace) {
  static const std::regex writes(
      "std::ofstream|\\bfopen\\(|\\bO_CREAT\\b|\\brename\\(|\\bunlink\\(|filesystem::remove|fs::remove|remove_all|"
      "create_director|avio_open\\(");
  const auto wanted = [](const SourceFile& file) {
    static const std::set<std::string> folders = {"tensor", "autograd", "layers", "audio",
                                                  "vision", "models",   "apps",   "cuda"};
    return folders.contains(file.folder()) && file.path != "models/file.cpp" && file.path != "cuda/plan_file.cpp";
  };
  EXPECT_TRUE(lines_matching(writes, wanted).empty()) << listed(lines_matching(writes, wanted));
}

TEST(Style, FilesAreShort) {
  std::vector<std::string> long_files;
  for (const SourceFile& file : source_files())
    if (file.extension() != ".md" && file.extension() != ".txt" && file.lines.size() > kFileLines)
      long_files.push_back(file.path + " has " + std::to_string(file.lines.size()) + " lines");
  EXPECT_TRUE(long_files.empty()) << listed(long_files);
}

// Another version of the program would break lines elsewhere.
TEST(Style, FilesHaveTheFormatOfTheRepository) {
  const std::string root = AVS_SOURCE_DIR;
  if (std::system("clang-format --version 2>/dev/null | grep -q 'version 14\\.'") != 0)
    GTEST_SKIP() << "clang-format 14 is not on this machine";
  std::string files;
  for (const SourceFile& file : source_files())
    if (file.is_code()) files += " '" + root + "/" + file.path + "'";
  EXPECT_EQ(std::system(("clang-format --dry-run -Werror" + files).c_str()), 0);
}

// A function starts on an unindented line that ends in { and ends at the next unindented }, as clang-format writes it.
TEST(Style, FunctionsAreShort) {
  static const std::regex no_function("^(namespace|struct|class|enum|union|extern|template|#|constexpr.*=|const.*=)");
  std::vector<std::string> long_functions;
  for (const SourceFile& file : source_files()) {
    if (!file.is_code()) continue;
    for (size_t i = 0; i < file.code.size(); ++i) {
      const std::string& line = file.code[i];
      if (line.empty() || line[0] == ' ' || line[0] == '}' || line.back() != '{') continue;
      if (std::regex_search(line, no_function)) continue;
      size_t end = i;
      while (end < file.code.size() && !file.code[end].starts_with("}")) ++end;
      if (end - i > kFunctionLines)
        long_functions.push_back(at(file, i) + " is " + std::to_string(end - i + 1) + " lines long: " + line);
    }
  }
  EXPECT_TRUE(long_functions.empty()) << listed(long_functions);
}

TEST(Style, HeadersAreGuardedAndPublicOnesSayWhatTheyAre) {
  std::vector<std::string> bad;
  for (const SourceFile& file : source_files()) {
    if (!file.is_header()) continue;
    if (std::ranges::find(file.lines, "#pragma once") == file.lines.end())
      bad.push_back(file.path + ": no #pragma once");
    const bool is_public = file.folder() != "tests";
    if (is_public && (file.lines.empty() || !file.lines[0].starts_with("//")))
      bad.push_back(file.path + ": does not begin with a comment that says what it is");
  }
  EXPECT_TRUE(bad.empty()) << listed(bad);
}

TEST(Style, KernelsAreLaunchedInOnePlace) {
  const auto found = lines_matching(std::regex("<<<"), [](const auto& file) { return file.path != "cuda/runtime.h"; });
  EXPECT_TRUE(found.empty()) << listed(found) << "only launch() in cuda/runtime.h starts kernels";
}

TEST(Style, CudaTypesStayInTheirFolder) {
  const std::regex types(
      "\\b(cuda[A-Z]\\w*|cudnn\\w*_t|cublas\\w*_t|cublasLt\\w*|__global__|__device__|__nv_\\w+)\\b|"
      "#include <(cuda|cudnn|cublas|cufft|nccl)");
  const auto found = lines_matching(types, [](const auto& file) {
    return file.folder() != "cuda" && !file.path.starts_with("tests/emulation/") &&
           !file.path.starts_with("bench/variants/");
  });
  EXPECT_TRUE(found.empty()) << listed(found);
}

// A stream takes a refused allocation for the end of its text: lines_of() of models/file.h does not.
TEST(Style, NoTextIsCutByAStream) {
  const auto found = lines_matching(std::regex("\\bgetline\\("), [](const auto& file) {
    return file.folder() != "tests" && file.folder() != "bench" && file.path != "cuda/plan_file.cpp";
  });
  EXPECT_TRUE(found.empty()) << listed(found);
}

TEST(Style, NothingIsLeftForLater) {
  const std::regex leftovers(
      "\\b(TO"
      "DO|FIX"
      "ME|XX"
      "X)\\b");
  std::vector<std::string> found;
  for (const SourceFile& file : source_files())
    for (size_t i = 0; i < file.lines.size(); ++i)
      if (std::regex_search(file.lines[i], leftovers)) found.push_back(at(file, i) + ": " + file.lines[i]);
  EXPECT_TRUE(found.empty()) << listed(found);
}

// "What it holds" and "of the head" are clauses without a subject (docs/contributing.md#comments-and-pages).
TEST(Style, CommentsBeginWithASubjectOrAVerb) {
  const std::regex comment("//\\s+(\\w+)");
  const std::set<std::string> clauses = {"what", "where", "of", "as", "which", "how", "with", "whether"};
  std::vector<std::string> found;
  for (const SourceFile& file : source_files()) {
    if (!file.is_code()) continue;
    bool continues = false;  // the line before is a comment alone
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      const bool is_alone = !line.empty() && line.find_first_not_of(' ') == line.find("// ");
      if (std::smatch match; std::regex_search(line, match, comment) && !(is_alone && continues)) {
        std::string word = match[1];
        std::transform(word.begin(), word.end(), word.begin(), [](unsigned char c) { return std::tolower(c); });
        if (clauses.contains(word)) found.push_back(at(file, i) + ": " + line);
      }
      continues = is_alone;
    }
  }
  EXPECT_TRUE(found.empty()) << listed(found);
}

TEST(Style, TheLibraryThrowsAndNeverEndsTheProcess) {
  const auto found = lines_matching(std::regex("\\b(std::)?(abort|exit|_exit|quick_exit)\\("), [](const auto& file) {
    return file.folder() != "apps" && file.folder() != "tests" && file.folder() != "bench";
  });
  EXPECT_TRUE(found.empty()) << listed(found);
}

}  // namespace
}  // namespace avs::structure
