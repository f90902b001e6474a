#include "tests/structure/source_tree.h"

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>

namespace avs::structure {
namespace {

namespace fs = std::filesystem;

const std::set<std::string> kTextExtensions = {".h", ".cuh", ".cpp", ".cu", ".sh", ".py", ".md", ".cmake", ".txt"};

bool is_read(const fs::path& path) {
  return kTextExtensions.contains(path.extension().string()) || path.filename() == "run";
}

// Blanks comments and the contents of "..." and '...'; lines and columns stay.
class CodeOnly {
 public:
  std::string operator()(const std::string& line) {
    std::string code = line;
    char quote = 0;
    for (size_t i = 0; i < line.size(); ++i) {
      const std::string two = line.substr(i, 2);
      if (in_comment_) {
        in_comment_ = two != "*/";
        code[i] = ' ';
        if (!in_comment_) code[++i] = ' ';
      } else if (quote != 0) {
        if (line[i] == '\\') {
          code[i] = ' ';
          if (i + 1 < line.size()) code[++i] = ' ';
        } else if (line[i] == quote) {
          quote = 0;
        } else {
          code[i] = ' ';
        }
      } else if (two == "//") {
        return code.substr(0, i);
      } else if (two == "/*") {
        in_comment_ = true;
        code[i] = ' ';
      } else if (line[i] == '"' ||
                 (line[i] == '\'' && (i == 0 || !std::isalnum(static_cast<unsigned char>(line[i - 1]))))) {
        quote = line[i];  // not the ' in 1'000
      }
    }
    return code;
  }

 private:
  bool in_comment_ = false;
};

SourceFile read(const fs::path& path) {
  SourceFile file;
  file.path = fs::relative(path, root()).generic_string();
  std::ifstream in(path);
  CodeOnly code_only;
  for (std::string line; std::getline(in, line);) {
    file.code.push_back(code_only(line));
    file.lines.push_back(std::move(line));
  }
  return file;
}

std::vector<SourceFile> read_all() {
  std::vector<SourceFile> files;
  for (auto it = fs::recursive_directory_iterator(root()); it != fs::recursive_directory_iterator(); ++it) {
    const std::string name = it->path().filename().string();
    if (it->is_directory() && (name.starts_with('.') || (it.depth() == 0 && name.starts_with("build")))) {
      it.disable_recursion_pending();
    } else if (it->is_regular_file() && is_read(it->path())) {
      files.push_back(read(it->path()));
    }
  }
  std::ranges::sort(files, {}, &SourceFile::path);
  return files;
}

}  // namespace

std::string SourceFile::folder() const {
  const size_t slash = path.find('/');
  return slash == std::string::npos ? std::string() : path.substr(0, slash);
}
std::string SourceFile::extension() const { return fs::path(path).extension().string(); }
bool SourceFile::is_header() const { return extension() == ".h" || extension() == ".cuh"; }
bool SourceFile::is_code() const { return is_header() || extension() == ".cpp" || extension() == ".cu"; }

fs::path root() { return AVS_SOURCE_DIR; }
bool exists(const std::string& path) { return fs::exists(root() / path); }

const std::vector<SourceFile>& source_files() {
  static const std::vector<SourceFile> files = read_all();
  return files;
}

std::vector<std::string> project_includes(const SourceFile& file) {
  static const std::regex include("^\\s*#include \"([^\"]+)\"");
  std::vector<std::string> paths;
  for (const std::string& line : file.lines)
    if (std::smatch match; std::regex_search(line, match, include)) paths.push_back(match[1]);
  return paths;
}

std::string listed(const std::vector<std::string>& complaints) {
  std::string text;
  for (const std::string& complaint : complaints) text += complaint + "\n";
  return text;
}

}  // namespace avs::structure
