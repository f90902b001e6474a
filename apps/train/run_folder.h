// A RUN: the folder of one training, and who may write there.
//
//   config.toml         the flags, as a file that --config takes
//   metrics.jsonl       one JSON object a line: apps/train/metrics.h
//   best.safetensors    the weights that did best on the validation split
//   last.safetensors    everything a resumed run needs
//   report.html         curves and confusion matrix
//   .lock               held by the process that trains
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "apps/data/files.h"

namespace avs {

class RunFolder {
 public:
  // Makes the folder if needed and locks it. Error when another process holds it or it cannot be written.
  explicit RunFolder(const std::filesystem::path& folder);

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path config() const { return folder_ / "config.toml"; }
  std::filesystem::path metrics() const { return folder_ / "metrics.jsonl"; }
  std::filesystem::path best() const { return folder_ / "best.safetensors"; }
  std::filesystem::path last() const { return folder_ / "last.safetensors"; }
  std::filesystem::path report() const { return folder_ / "report.html"; }

  bool has_training() const;  // a checkpoint was written here

 private:
  std::filesystem::path folder_;
  std::unique_ptr<data::FolderLock> lock_;
};

void write_text(const std::filesystem::path& file, const std::string& text);  // whole or not at all
std::string read_text(const std::filesystem::path& file);                     // DataError

// Appends to metrics.jsonl. A resumed run first cuts the file back to the lines its checkpoint had seen: what came
// after is about to be computed again.
class MetricsLog {
 public:
  MetricsLog(const std::filesystem::path& file, int64_t keep_lines);

  void write(const std::string& json_line);  // Error when it cannot be written
  int64_t lines() const { return lines_; }
  double seconds_before() const { return seconds_before_; }  // of the last line kept; 0 for a new file

 private:
  std::filesystem::path file_;
  std::ofstream out_;
  int64_t lines_ = 0;
  double seconds_before_ = 0;
};

}  // namespace avs
