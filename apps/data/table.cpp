#include "apps/data/table.h"

#include <algorithm>
#include <cstdint>

#include "apps/data/folder_walk.h"
#include "models/file.h"
#include "models/printable.h"
#include "tensor/error.h"

namespace avs::data {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{256} << 20;
constexpr size_t kMaxTitle = 40, kMaxTitles = 20;

void append_utf8(std::string& out, uint32_t c) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    tail(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    tail(6), tail(0);
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    tail(12), tail(6), tail(0);
  }
}

// Converts UTF-16 without byte order mark; `high` is the offset of each pair's high byte. An unpaired surrogate stays:
// the caller's UTF-8 check detects it.
std::string utf8_of_utf16(std::string_view bytes, size_t high) {
  const auto unit = [&](size_t i) {
    return static_cast<uint32_t>(static_cast<uint8_t>(bytes[i + high]) << 8 |
                                 static_cast<uint8_t>(bytes[i + 1 - high]));
  };
  std::string text;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    uint32_t c = unit(i);
    if ((c & 0xfc00) == 0xd800 && i + 3 < bytes.size() && (unit(i + 2) & 0xfc00) == 0xdc00) {
      c = 0x10000 + ((c & 0x3ff) << 10 | (unit(i + 2) & 0x3ff));
      i += 2;
    }
    append_utf8(text, c);
  }
  return text;
}

std::string bytes_of(const std::filesystem::path& path) {
  const std::string name = printable(path.string());
  if (const std::string reason = why_no_file(path); !reason.empty()) throw DataError(str(name, ": ", reason));
  const uint64_t size = std::filesystem::file_size(path);
  if (size > kMaxBytes) throw DataError(str(name, ": has ", size, " bytes; a table has at most ", kMaxBytes));
  return read_text(path);  // throws on I/O errors: rows must not be lost silently
}

// The file's text without byte order mark: UTF-8, or UTF-16 if the mark says so (spreadsheets).
std::string text_of(const std::filesystem::path& path) {
  std::string text = bytes_of(path);
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    text = utf8_of_utf16(std::string_view(text).substr(2), text[0] == '\xfe' ? 0 : 1);
  else if (text.starts_with("\xef\xbb\xbf"))
    text.erase(0, 3);
  if (text.find('\0') != std::string::npos)
    throw DataError(str(printable(path.string()), ": holds bytes of value 0: no table of UTF-8 or UTF-16 text"));
  return text;
}

// Removes the first line from `rest`, including its end: \n, \r\n or \r.
std::string take_line(std::string_view& rest) {
  const size_t end = std::min(rest.find_first_of("\r\n"), rest.size());
  const std::string line(rest.substr(0, end));
  rest.remove_prefix(end);
  rest.remove_prefix(std::min<size_t>(rest.starts_with("\r\n") ? 2 : 1, rest.size()));
  return line;
}

std::string trimmed(std::string text) {
  const auto first = text.find_first_not_of(" ");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" ") - first + 1);
}

// In a quoted field, separators are text and "" is one quote (RFC 4180).
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
  const std::string text = text_of(path);
  Table table;
  table.path_ = path;
  char separator = ',';
  std::string_view rest = text;
  for (int64_t number = 1; !rest.empty(); ++number) {
    const std::string line = take_line(rest);
    if (trimmed(line).empty()) continue;
    if (table.header_.empty()) {
      separator = line.find('\t') != std::string::npos ? '\t' : ',';
      table.header_ = split_fields(line, separator);
      continue;
    }
    table.rows_.push_back({number, split_fields(line, separator)});
    const size_t found = table.rows_.back().fields.size(), expected = table.header_.size();
    if (found != expected)
      throw DataError(str(table.place(table.rows_.back()), ": ", found, " fields where the header has ", expected));
  }
  if (table.header_.empty()) throw DataError(str(printable(path.string()), ": empty, expected a header line"));
  return table;
}

std::optional<size_t> Table::find_column(std::string_view name) const {
  const auto it = std::find(header_.begin(), header_.end(), name);
  if (it == header_.end()) return std::nullopt;
  return static_cast<size_t>(it - header_.begin());
}

size_t Table::column(std::string_view name) const {
  if (const auto index = find_column(name)) return *index;
  const std::string lacks = str(printable(path_.string()), ": no column '", name, "'; ");
  // Does not print a line of another kind of file: it may contain secrets.
  const bool is_header = (header_.size() > 1 || header_[0].starts_with("filename")) && header_.size() <= kMaxTitles &&
                         std::all_of(header_.begin(), header_.end(), [](const std::string& title) {
                           return title.size() <= kMaxTitle && title.find_first_of(":$=") == std::string::npos;
                         });
  if (!is_header) throw DataError(str(lacks, "its first line is no header of such a table"));
  std::string titles;
  for (const std::string& title : header_) titles += (titles.empty() ? "'" : ", '") + printable(title) + "'";
  throw DataError(str(lacks, "its header has ", titles));
}

std::string Table::place(const Row& row) const { return str(printable(path_.string()), ":", row.line); }

}  // namespace avs::data
