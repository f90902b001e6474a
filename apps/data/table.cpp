#include "apps/data/table.h"

#include <algorithm>
#include <fstream>

#include "tensor/error.h"

namespace avs::data {
namespace {

std::string trimmed(std::string text) {
  const auto first = text.find_first_not_of(" \r");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \r") - first + 1);
}

// In a quoted field a separator is text and "" is one quote (RFC 4180).
std::vector<std::string> split_fields(const std::string& line, char separator) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && separator == ',') {
      if (quoted && i + 1 < line.size() && line[i + 1] == '"')
        fields.back() += line[++i];
      else
        quoted = !quoted;
    } else if (c == separator && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  for (std::string& field : fields) field = trimmed(std::move(field));
  return fields;
}

}  // namespace

Table Table::read(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) throw DataError(str(path.string(), ": cannot be opened"));
  Table table;
  table.path_ = path;
  char separator = ',';
  std::string line;
  for (int64_t number = 1; std::getline(in, line); ++number) {
    if (number == 1 && line.starts_with("\xef\xbb\xbf")) line.erase(0, 3);
    if (trimmed(line).empty()) continue;
    if (table.header_.empty()) {
      separator = line.find('\t') != std::string::npos ? '\t' : ',';
      table.header_ = split_fields(line, separator);
      continue;
    }
    table.rows_.push_back({number, split_fields(line, separator)});
    const size_t found = table.rows_.back().fields.size(), expected = table.header_.size();
    if (found != expected)
      throw DataError(str(path.string(), ":", number, ": ", found, " fields where the header has ", expected));
  }
  if (table.header_.empty()) throw DataError(str(path.string(), ": empty, expected a header line"));
  return table;
}

std::optional<size_t> Table::find_column(std::string_view name) const {
  const auto it = std::find(header_.begin(), header_.end(), name);
  if (it == header_.end()) return std::nullopt;
  return static_cast<size_t>(it - header_.begin());
}

size_t Table::column(std::string_view name) const {
  if (const auto index = find_column(name)) return *index;
  std::string there;
  for (const std::string& title : header_) there += (there.empty() ? "'" : ", '") + title + "'";
  throw DataError(str(path_.string(), ": no column '", name, "'; its header has ", there));
}

std::string Table::place(const Row& row) const { return str(path_.string(), ":", row.line); }

}  // namespace avs::data
