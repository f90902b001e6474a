#include "cuda/plan_file.h"

#include <cstdlib>
#include <fstream>

namespace avs::cuda {
namespace fs = std::filesystem;

std::optional<std::string> PlanFile::find(const std::string& what) {
  read();
  const auto found = choices_.find(what);
  if (found == choices_.end()) return std::nullopt;
  return found->second;
}

void PlanFile::remember(const std::string& what, const std::string& choice) {
  read();
  choices_[what] = choice;
  std::error_code ignored;
  fs::create_directories(path_.parent_path(), ignored);
  // One write of one short line in append mode: the lines of two processes do not mix.
  std::ofstream(path_, std::ios::app) << what + '\t' + choice + '\n' << std::flush;
}

void PlanFile::read() {
  if (was_read_) return;
  was_read_ = true;
  std::ifstream in(path_);
  for (std::string line; std::getline(in, line);) {
    const size_t tab = line.rfind('\t');
    if (tab == std::string::npos || tab == 0 || tab + 1 == line.size()) continue;
    choices_[line.substr(0, tab)] = line.substr(tab + 1);
  }
}

fs::path plan_path(const std::string& name) {
  const auto variable = [](const char* which) {
    const char* const value = std::getenv(which);
    return std::string(value == nullptr ? "" : value);
  };
  if (const std::string file = variable("AVS_PLANS"); !file.empty()) return file;
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty()) return fs::path(cache) / "avscene" / name;
  if (const std::string home = variable("HOME"); !home.empty()) return fs::path(home) / ".cache" / "avscene" / name;
  return name;
}

}  // namespace avs::cuda
