// Tables of text with a header line, as data sets ship them: separated by tabs if the header holds one, else by commas.
// UTF-8, or UTF-16 with a byte order mark; lines that end in \n, \r\n or \r; blank lines and double quotes around
// comma-separated fields are understood.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace avs::data {

class Table {
 public:
  struct Row {
    int64_t line;  // in the file, from 1
    std::vector<std::string> fields;
  };

  // DataError names file and line: no regular file, above 256 MiB, no text, no header, or a row whose number of fields
  // differs from the header's. SystemError: the machine fails while it is read.
  static Table read(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const std::vector<Row>& rows() const { return rows_; }
  std::optional<size_t> find_column(std::string_view name) const;
  size_t column(std::string_view name) const;  // DataError lists the columns there are
  std::string place(const Row& row) const;     // "fold1_train.csv:17", with the folder in front

 private:
  std::filesystem::path path_;
  std::vector<std::string> header_;
  std::vector<Row> rows_;
};

}  // namespace avs::data
