// Pages must match the code. Every ```cpp block must occur, line for line, in a source file; every `folder/file.h`,
// every `Symbol` and every heading after `page.md#`, in pages and in comments, must exist.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <stdexcept>

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
    return std::search(text.begin(), text.end(), lines.begin(), lines.end()) != text.end();
  });
}

TEST(Readme, SnippetsAreCodeThatIsCompiled) {
  std::vector<std::string> adrift;
  for (const Snippet& snippet : snippets())
    if (!stands_in_the_project(without_blanks(snippet.lines))) adrift.push_back(snippet.place);
  EXPECT_TRUE(adrift.empty()) << listed(adrift) << "these blocks stand in no .h or .cpp; quote code that is compiled";
}

// Paths in backticks are relative to the root or to the page's folder, links to the page's folder; NAME matches any name.
TEST(Readme, FilesThatPagesNameExist) {
  const std::regex path(
      "`((?:[\\w.-]+/)+[\\w.-]+\\.(?:h|cpp|cu|cuh|md|sh|py|cmake))`|\\]\\(([^)#:\\s]+)(?:#[\\w-]+)?\\)");
  int named = 0;
  std::vector<std::string> missing;
  for (const SourceFile& file : source_files()) {
    if (file.extension() != ".md" || file.path == "THIRD_PARTY.md") continue;  // it names other projects' files
    const std::filesystem::path folder = std::filesystem::path(file.path).parent_path();
    for (size_t i = 0; i < file.lines.size(); ++i)
      for (std::sregex_iterator it(file.lines[i].begin(), file.lines[i].end(), path), end; it != end; ++it) {
        const std::string name = (*it)[1].matched ? (*it)[1] : (*it)[2];
        if (name.find("NAME") != std::string::npos) continue;
        ++named;
        if (!((*it)[1].matched && exists(name)) && !exists((folder / name).lexically_normal().generic_string()))
          missing.push_back(file.path + ":" + std::to_string(i + 1) + ": " + name);
      }
  }
  EXPECT_GT(named, 100);
  EXPECT_TRUE(missing.empty()) << listed(missing);
}

// A heading's anchor on GitHub: lower case, words joined by '-', other characters dropped.
std::string anchor_of(const std::string& heading) {
  std::string anchor;
  for (const char c : heading.substr(heading.find(' ') + 1))
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-')
      anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    else if (c == ' ')
      anchor += '-';
  return anchor;
}

std::map<std::string, std::set<std::string>> anchors_by_page() {
  std::map<std::string, std::set<std::string>> anchors;
  for (const SourceFile& file : source_files())
    if (file.extension() == ".md")
      for (const std::string& line : file.lines)
        if (line.starts_with("#")) anchors[file.path].insert(anchor_of(line));
  return anchors;
}

TEST(Readme, HeadingsThatPagesAndCommentsPointToExist) {
  const std::regex pointer("([\\w./-]+\\.md|\\]\\()#([\\w-]+)");
  const auto anchors = anchors_by_page();
  int pointers = 0;
  std::vector<std::string> missing;
  for (const SourceFile& file : source_files()) {
    const std::filesystem::path folder = std::filesystem::path(file.path).parent_path();
    for (size_t i = 0; i < file.lines.size(); ++i)
      for (std::sregex_iterator it(file.lines[i].begin(), file.lines[i].end(), pointer), end; it != end; ++it) {
        ++pointers;
        const std::string page = (*it)[1] == "](" ? file.path : std::string((*it)[1]),
                          beside = (folder / page).lexically_normal().generic_string();
        const auto found = anchors.find(anchors.contains(page) ? page : beside);
        if (found == anchors.end() || !found->second.contains((*it)[2]))
          missing.push_back(file.path + ":" + std::to_string(i + 1) + ": " + it->str());
      }
  }
  EXPECT_GE(pointers, 20);
  EXPECT_TRUE(missing.empty()) << listed(missing);
}

// The words of all files except pages, and the files' names.
const std::map<std::string, std::set<std::string>>& files_by_word() {
  static const std::map<std::string, std::set<std::string>> files = [] {
    std::map<std::string, std::set<std::string>> found;
    for (const SourceFile& file : source_files()) {
      if (file.extension() == ".md") continue;
      found[std::filesystem::path(file.path).stem().string()].insert(file.path);
      for (const std::string& line : file.lines)
        for (size_t i = 0; i < line.size();) {
          const auto is_word = [&](size_t at) {
            return at < line.size() && (std::isalnum(static_cast<unsigned char>(line[at])) || line[at] == '_');
          };
          size_t end = i;
          while (is_word(end)) ++end;
          if (end > i) found[line.substr(i, end - i)].insert(file.path);
          i = std::max(end, i + 1);
        }
    }
    return found;
  }();
  return files;
}

// True if one file contains all the words.
bool stand_together(const std::vector<std::string>& words) {
  std::set<std::string> files;
  for (size_t i = 0; i < words.size(); ++i) {
    const auto found = files_by_word().find(words[i]);
    if (found == files_by_word().end()) return false;
    std::set<std::string> common;
    if (i > 0) std::ranges::set_intersection(files, found->second, std::inserter(common, common.end()));
    files = i == 0 ? found->second : common;
  }
  return !files.empty();
}

// Checks code spans of one identifier, `Type::member` or `function(arguments)`; one file must contain both parts of a
// qualified name.
TEST(Readme, SymbolsThatPagesNameExist) {
  const std::regex span("`([^`]+)`"), symbol("([A-Za-z_]\\w*(?:::\\w+)*)(?:\\(.*\\))?");
  const std::set<std::string> styles = {"UpperCamel", "lower_snake", "trailing_", "kCamel"};  // docs/contributing.md
  int named = 0;
  std::vector<std::string> missing;
  for (const SourceFile& file : source_files()) {
    if (file.extension() != ".md" || file.path == "THIRD_PARTY.md") continue;
    for (size_t i = 0; i < file.lines.size(); ++i)
      for (std::sregex_iterator it(file.lines[i].begin(), file.lines[i].end(), span), end; it != end; ++it) {
        const std::string text = (*it)[1];
        std::smatch match;
        if (!std::regex_match(text, match, symbol) || styles.contains(text)) continue;
        ++named;
        std::string words = match[1];
        std::vector<std::string> parts;
        for (size_t colon; (colon = words.find("::")) != std::string::npos; words = words.substr(colon + 2))
          parts.push_back(words.substr(0, colon));
        parts.push_back(words);
        if (!stand_together(parts)) missing.push_back(file.path + ":" + std::to_string(i + 1) + ": " + text);
      }
  }
  EXPECT_GT(named, 200);
  EXPECT_TRUE(missing.empty()) << listed(missing) << "no file that is no page holds these names";
}

const SourceFile& page(const std::string& path) {
  const auto found = std::ranges::find(source_files(), path, &SourceFile::path);
  if (found == source_files().end()) throw std::runtime_error("there is no " + path);
  return *found;
}

TEST(Readme, IsShortAndLeadsToEveryPage) {
  const SourceFile& readme = page("README.md");
  EXPECT_LE(readme.lines.size(), 120u);
  std::vector<std::string> missing;
  for (const SourceFile& file : source_files())
    if (file.extension() == ".md" && file.path != "README.md" && !file.path.starts_with("bench/results/") &&
        !std::ranges::any_of(readme.lines, [&](const auto& line) { return line.find(file.path) != line.npos; }))
      missing.push_back(file.path);
  EXPECT_TRUE(missing.empty()) << "README.md leads to none of these pages:\n" << listed(missing);
}

// The lines of docs/route.md below a "## " heading; for "" those before the first.
const std::vector<std::string>& part_of_the_route(const std::string& heading) {
  static const auto parts = [] {
    std::map<std::string, std::vector<std::string>> found;
    std::string now;
    for (const std::string& line : page("docs/route.md").lines)
      if (line.starts_with("## "))
        now = line.substr(3);
      else
        found[now].push_back(line);
    return found;
  }();
  return parts.at(heading);
}

// The stops, each with its files.
std::vector<std::vector<std::string>> stops_of_the_route() {
  const std::regex path("`([\\w/]+\\.(?:h|cpp))`"), stop("^\\d+\\. ");
  std::vector<std::vector<std::string>> stops;
  for (const std::string& line : part_of_the_route("Stops")) {
    if (!std::regex_search(line, stop)) continue;
    stops.emplace_back();
    for (std::sregex_iterator it(line.begin(), line.end(), path), end; it != end; ++it)
      stops.back().push_back((*it)[1]);
  }
  return stops;
}

// "| a | b |" as "a", "b".
std::vector<std::string> cells_of(const std::string& row) {
  std::vector<std::string> cells;
  for (size_t begin = row.find("| "), end; begin != row.npos && (end = row.find(" |", begin + 2)) != row.npos;
       begin = end + 1)
    cells.push_back(row.substr(begin + 2, end - begin - 2));
  return cells;
}

std::string unquoted(const std::string& cell) { return cell.size() < 2 ? cell : cell.substr(1, cell.size() - 2); }

int64_t number_before(const std::string& text, const std::string& words) {
  std::smatch match;
  if (!std::regex_search(text, match, std::regex("([\\d,]+) " + words))) return -1;
  std::string digits = match[1];
  std::erase(digits, ',');
  return std::stoll(digits);
}

TEST(Readme, TheAfternoonRouteIsAsLongAsItSays) {
  int64_t stated = -1, lines = 0, files = 0;
  for (const std::string& line : part_of_the_route(""))
    if (stated < 0) stated = number_before(line, "lines");
  for (const auto& stop : stops_of_the_route())
    for (const std::string& path : stop) {
      lines += static_cast<int64_t>(page(path).lines.size());
      ++files;
    }
  EXPECT_NEAR(static_cast<double>(stated), static_cast<double>(lines), 100) << "docs/route.md states another length";
  EXPECT_LE(lines, 2000) << "no afternoon is that long";
  EXPECT_GE(files, 15);
}

// The glossary explains every header that a stop includes and that is no stop, and no other.
TEST(Readme, TheAfternoonRouteExplainsWhatItIncludes) {
  std::set<std::string> stops, included, explained;
  for (const auto& stop : stops_of_the_route()) stops.insert(stop.begin(), stop.end());
  for (const std::string& path : stops)
    for (const std::string& header : project_includes(page(path)))
      if (!stops.contains(header)) included.insert(header);
  for (const std::string& row : part_of_the_route("Glossary"))
    if (row.starts_with("| `")) explained.insert(unquoted(cells_of(row)[0]));
  std::vector<std::string> missing, needless;
  std::ranges::set_difference(included, explained, std::back_inserter(missing));
  std::ranges::set_difference(explained, included, std::back_inserter(needless));
  EXPECT_TRUE(missing.empty()) << "the glossary of docs/route.md lacks:\n" << listed(missing);
  EXPECT_TRUE(needless.empty()) << "no stop of docs/route.md includes:\n" << listed(needless);
}

// Each stop has a question, and each answer quotes a line of one of the stop's files.
TEST(Readme, TheAfternoonRouteAnswersItsQuestions) {
  const auto stops = stops_of_the_route();
  const auto is_question = [](const std::string& line) { return trimmed(line).starts_with("*"); };
  EXPECT_EQ(std::ranges::count_if(part_of_the_route("Stops"), is_question), static_cast<int64_t>(stops.size()));
  size_t answers = 0;
  for (const std::string& row : part_of_the_route("Answers")) {
    const std::vector<std::string> cells = cells_of(row);
    if (cells.size() != 4 || !std::isdigit(static_cast<unsigned char>(cells[0][0]))) continue;
    ASSERT_EQ(std::stoul(cells[0]), ++answers) << row;
    const std::string path = unquoted(cells[2]), quoted = unquoted(cells[3]);
    EXPECT_THAT(stops[answers - 1], testing::Contains(path)) << row;
    EXPECT_TRUE(std::ranges::any_of(page(path).lines, [&](const auto& line) { return line.find(quoted) != line.npos; }))
        << path << " has no line with " << quoted;
  }
  EXPECT_EQ(answers, stops.size());
}

}  // namespace
}  // namespace avs::structure
