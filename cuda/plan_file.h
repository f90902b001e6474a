// Measured choices, kept on disk between runs: a text file of lines "what<TAB>choice". Several processes may append to
// one file; malformed lines are skipped, so a damaged file costs only a new measurement.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace avs::cuda {

class PlanFile {
 public:
  explicit PlanFile(std::filesystem::path path) : path_(std::move(path)) {}

  std::optional<std::string> find(const std::string& what);
  // An unwritable folder is no error: the next run measures again.
  void remember(const std::string& what, const std::string& choice);

 private:
  void read();

  std::filesystem::path path_;
  bool was_read_ = false;
  std::map<std::string, std::string> choices_;  // later lines win
};

// The path AVS_PLANS, else avscene/NAME in XDG_CACHE_HOME, else in ~/.cache, else in the working directory.
std::filesystem::path plan_path(const std::string& name);

}  // namespace avs::cuda
