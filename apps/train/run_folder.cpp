#include "apps/train/run_folder.h"

#include <cerrno>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>

#include "tensor/error.h"

namespace avs {
namespace {

std::filesystem::path made(const std::filesystem::path& folder) {
  std::error_code code;
  std::filesystem::create_directories(folder, code);
  if (code) throw Error(str(folder.string(), ": cannot make this folder: ", code.message()));
  return std::filesystem::absolute(folder).lexically_normal();
}

// The first `count` lines of a file, and how many there were.
std::pair<std::string, int64_t> first_lines(const std::string& text, int64_t count) {
  size_t end = 0;
  int64_t lines = 0;
  while (lines < count) {
    const size_t newline = text.find('\n', end);
    if (newline == std::string::npos) break;  // a line without an end was cut off while it was written
    end = newline + 1;
    ++lines;
  }
  return {text.substr(0, end), lines};
}

}  // namespace

RunFolder::RunFolder(const std::filesystem::path& folder)
    : folder_(made(folder)), lock_(std::make_unique<data::FolderLock>(folder_)) {}

bool RunFolder::has_training() const { return std::filesystem::exists(last()) || std::filesystem::exists(best()); }

void write_text(const std::filesystem::path& file, const std::string& text) {
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  data::write_atomically(file, std::span(&bytes, 1));
}

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw DataError(str(file.string(), ": cannot be read: ", std::strerror(errno)));
  return {std::istreambuf_iterator<char>(in), {}};
}

MetricsLog::MetricsLog(const std::filesystem::path& file, int64_t keep_lines) : file_(file) {
  std::string kept;
  if (keep_lines > 0 && std::filesystem::exists(file)) {
    std::tie(kept, lines_) = first_lines(read_text(file), keep_lines);
    const size_t last_line = kept.size() < 2 ? std::string::npos : kept.rfind('\n', kept.size() - 2);
    const auto json =
        nlohmann::json::parse(last_line == std::string::npos ? kept : kept.substr(last_line + 1), nullptr, false);
    if (json.is_object()) seconds_before_ = json.value("seconds", 0.0);
  }
  write_text(file, kept);
  out_.open(file, std::ios::app | std::ios::binary);
}

void MetricsLog::write(const std::string& json_line) {
  out_ << json_line << '\n' << std::flush;
  if (!out_) throw Error(str(file_.string(), ": cannot be written: ", std::strerror(errno)));
  ++lines_;
}

}  // namespace avs
