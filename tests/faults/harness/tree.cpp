#include "tests/faults/harness/tree.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "models/checkpoint.h"
#include "models/data/entry.h"

namespace avs::faults {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

int64_t modified_ns(const fs::path& path) {
  struct stat status = {};
  ::stat(path.c_str(), &status);
  return int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

void set_modified(const fs::path& path, int64_t ns) {
  const timespec time{ns / 1'000'000'000, ns % 1'000'000'000};
  const timespec both[2] = {time, time};
  ::utimensat(AT_FDCWD, path.c_str(), both, 0);
}

std::string without_times(const std::string& path, const std::string& bytes) {
  static const std::regex in_metrics("\"(seconds|peak_bytes)\":[-+.0-9e]+"), in_page(">[.0-9]+ (s|min|h|GB)<");
  if (path.ends_with("metrics.jsonl")) return std::regex_replace(bytes, in_metrics, "");
  if (path.ends_with("report.html")) return std::regex_replace(bytes, in_page, "><");
  return bytes;
}

bool is_json(const std::string& text) { return nlohmann::json::accept(text); }

// Is it a log? Its last line may be incomplete: logs are appended to, and --resume truncates them.
bool is_log(const std::string& text) {
  std::istringstream in(text.substr(0, text.rfind('\n') + 1));
  for (std::string line; std::getline(in, line);)
    if (!is_json(line)) return false;
  return true;
}

}  // namespace

Tree capture(const fs::path& folder) {
  Tree tree;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().lexically_relative(folder).string();
    if (entry.is_directory())
      tree[path + "/"];
    else
      tree[path] = {read_file(entry.path()), modified_ns(entry.path())};
  }
  return tree;
}

void restore(const fs::path& folder, const Tree& tree) {
  fs::create_directories(folder);
  const Tree now = capture(folder);
  for (auto it = now.rbegin(); it != now.rend(); ++it)  // children before their folder
    if (!tree.contains(it->first)) fs::remove_all(folder / it->first);
  for (const auto& [path, node] : tree) {
    const auto found = now.find(path);
    if (path.ends_with('/')) {
      fs::create_directories(folder / path);
    } else if (found == now.end() || found->second.bytes != node.bytes) {
      fs::remove(folder / path);
      std::ofstream(folder / path, std::ios::binary) << node.bytes;
    }
    if (!path.ends_with('/')) set_modified(folder / path, node.modified_ns);
  }
}

bool same_file(const std::string& path, const std::string& a, const std::string& b) {
  return a == b || without_times(path, a) == without_times(path, b);
}

std::string difference(const Tree& got, const Tree& wanted) {
  for (const auto& [path, node] : wanted) {
    const auto found = got.find(path);
    if (found == got.end()) return path + " is missing";
    if (!same_file(path, found->second.bytes, node.bytes)) return path + " has other bytes";
  }
  for (const auto& [path, node] : got)
    if (!wanted.contains(path)) return path + " is left over";
  return {};
}

bool is_whole(const fs::path& folder, const std::string& path, const std::string& bytes) {
  try {
    if (path.ends_with(".safetensors")) return Checkpoint::load(folder / path), true;
    if (path.ends_with(".clip")) return data::Entry(folder / path).verify(), true;
    if (path.ends_with(".json")) return is_json(bytes);
    if (path.ends_with(".jsonl")) return is_log(bytes);
    if (path.ends_with(".html")) return bytes.ends_with("</html>\n");
    return path.ends_with(".toml") && bytes.ends_with("\n");
  } catch (const Error&) {
    return false;
  }
}

}  // namespace avs::faults
