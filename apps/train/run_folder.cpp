#include "apps/train/run_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace avs {
namespace {

std::filesystem::path made(const std::filesystem::path& folder) {
  make_folders(folder);
  return std::filesystem::absolute(folder).lexically_normal();
}

bool belongs(const nlohmann::json& line, MetricsSeen seen) {
  if (!line.is_object()) return false;
  return line.value("kind", "") == "epoch" ? line.value("epoch", int64_t{0}) <= seen.epochs
                                           : line.value("step", int64_t{0}) <= seen.steps;
}

}  // namespace

RunFolder::RunFolder(const std::filesystem::path& folder)
    : folder_(made(folder)), lock_(std::make_unique<FolderLock>(folder_)) {
  for (const std::filesystem::path& file : {config(), metrics(), best(), last(), report()}) remove_unfinished(file);
}

bool RunFolder::has_training() const { return std::filesystem::exists(last()) || std::filesystem::exists(best()); }

MetricsLog::MetricsLog(const std::filesystem::path& file, MetricsSeen seen) : lines_(seen.lines) {
  std::string kept;
  int64_t count = 0;
  const std::string text = std::filesystem::exists(file) && seen.lines > 0 ? read_text(file) : "";
  for (const std::string& line : lines_of(text)) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    if (!belongs(json, seen)) continue;
    kept += line + '\n';
    ++count;
    seconds_before_ = json.value("seconds", 0.0);
  }
  lost_ = std::max<int64_t>(0, seen.lines - count);
  write_text(file, kept);
  out_.emplace(file);
}

void MetricsLog::write(const std::string& json_line) {
  out_->write(json_line + '\n');
  ++lines_;
}

}  // namespace avs
