// What a page says about the code rots. Every ```cpp block must stand, line for line, in a source file of the project, and
// every `folder/file.h` must exist.
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

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

// Paths are from the root or from the page's folder; NAME stands for any name.
TEST(Readme, FilesThatPagesNameExist) {
  const std::regex path("`((?:[\\w.-]+/)+[\\w.-]+\\.(?:h|cpp|cu|cuh|md|sh|py|cmake))`");
  int named = 0;
  std::vector<std::string> missing;
  for (const SourceFile& file : source_files()) {
    if (file.extension() != ".md" || file.path == "THIRD_PARTY.md") continue;  // which names other projects' files
    const std::filesystem::path folder = std::filesystem::path(file.path).parent_path();
    for (size_t i = 0; i < file.lines.size(); ++i)
      for (std::sregex_iterator it(file.lines[i].begin(), file.lines[i].end(), path), end; it != end; ++it) {
        const std::string name = (*it)[1];
        if (name.find("NAME") != std::string::npos) continue;
        ++named;
        if (!exists(name) && !exists((folder / name).generic_string()))
          missing.push_back(file.path + ":" + std::to_string(i + 1) + ": " + name);
      }
  }
  EXPECT_GT(named, 100);
  EXPECT_TRUE(missing.empty()) << listed(missing);
}

}  // namespace
}  // namespace avs::structure
