// Code in a README that is not compiled rots. Every ```cpp block must stand, line for line, in a source file of the
// project.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/structure/source_tree.h"

namespace avs::structure {
namespace {

std::string trimmed(const std::string& line) {
  const size_t first = line.find_first_not_of(" \t"), last = line.find_last_not_of(" \t");
  return first == std::string::npos ? std::string() : line.substr(first, last - first + 1);
}

std::vector<std::string> without_blanks(const std::vector<std::string>& lines) {
  std::vector<std::string> kept;
  for (const std::string& line : lines)
    if (std::string text = trimmed(line); !text.empty()) kept.push_back(std::move(text));
  return kept;
}

struct Snippet {
  std::string place;
  std::vector<std::string> lines;
};

std::vector<Snippet> snippets() {
  std::vector<Snippet> found;
  for (const SourceFile& file : source_files()) {
    if (file.extension() != ".md") continue;
    bool inside = false;
    for (size_t i = 0; i < file.lines.size(); ++i) {
      const std::string line = trimmed(file.lines[i]);
      if (inside && line == "```") {
        inside = false;
      } else if (inside) {
        found.back().lines.push_back(line);
      } else if (line == "```cpp") {
        inside = true;
        found.push_back({file.path + ":" + std::to_string(i + 1), {}});
      }
    }
  }
  return found;
}

bool stands_in_the_project(const std::vector<std::string>& lines) {
  return std::ranges::any_of(source_files(), [&](const SourceFile& file) {
    if (!file.is_code()) return false;
    const std::vector<std::string> text = without_blanks(file.lines);
    return !std::ranges::search(text, lines).empty();
  });
}

TEST(Readme, SnippetsAreCodeThatIsCompiled) {
  std::vector<std::string> adrift;
  for (const Snippet& snippet : snippets())
    if (!stands_in_the_project(without_blanks(snippet.lines))) adrift.push_back(snippet.place);
  EXPECT_TRUE(adrift.empty()) << listed(adrift) << "these blocks stand in no .h or .cpp; quote code that is compiled";
}

}  // namespace
}  // namespace avs::structure
