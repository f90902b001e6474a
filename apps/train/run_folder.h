// A RUN: the folder of one training, and who may write there.
//
//   config.toml         the flags, as a file that --config takes
//   metrics.jsonl       one JSON object a line: models/training/metrics.h
//   best.safetensors    the weights that did best on the validation split
//   last.safetensors    everything a resumed run needs
//   report.html         curves and confusion matrix
//   .lock               held by the process that trains
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "models/file.h"

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
  std::unique_ptr<FolderLock> lock_;
};

// A checkpoint's view of metrics.jsonl: the epochs and steps that are done, and how many lines they wrote.
struct MetricsSeen {
  int64_t epochs = 0, steps = 0, lines = 0;
};

// Appends to metrics.jsonl. A resumed run first drops the lines of later epochs and steps, which are about to be
// computed again, and lines that are no JSON.
class MetricsLog {
 public:
  explicit MetricsLog(const std::filesystem::path& file, MetricsSeen seen = {});

  void write(const std::string& json_line);                  // SystemError when it cannot be written
  void flush() { out_->flush(); }                            // to disk
  int64_t lines() const { return lines_; }                   // in the whole run
  int64_t lost() const { return lost_; }                     // lines that the checkpoint has seen and the file lacks
  double seconds_before() const { return seconds_before_; }  // up to the last line kept; 0 for a new file

 private:
  int64_t lines_ = 0, lost_ = 0;
  double seconds_before_ = 0;
  std::optional<AppendedFile> out_;
};

}  // namespace avs
