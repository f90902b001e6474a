// Text tables with a header line: separated by tabs if the header contains one, else by commas. UTF-8, or UTF-16 with a
// byte order mark; line ends \n, \r\n or \r. Blank lines are skipped; comma-separated fields may have double quotes.
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
    int64_t line;  // line number in the file, from 1
    std::vector<std::string> fields;
  };

  // DataError names file and line: not a regular file, above 256 MiB, not text, no header, or a row with another number
  // of fields than the header. SystemError: an I/O error.
  static Table read(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const std::vector<Row>& rows() const { return rows_; }
  std::optional<size_t> find_column(std::string_view name) const;
  size_t column(std::string_view name) const;  // DataError lists the existing columns
  std::string place(const Row& row) const;     // "FOLDER/fold1_train.csv:17"

 private:
  std::filesystem::path path_;
  std::vector<std::string> header_;
  std::vector<Row> rows_;
};

}  // namespace avs::data
