// A folder in memory, to be put back before every trial and compared after it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace avs::faults {

struct Node {
  std::string bytes;
  int64_t modified_ns = 0;  // prepare compares it; 0 for folders
};

// Relative path -> file; a folder's path ends with '/' and comes before what it holds.
using Tree = std::map<std::string, Node>;

Tree capture(const std::filesystem::path& folder);

// Makes `folder` hold exactly `tree`, times of modification included.
void restore(const std::filesystem::path& folder, const Tree& tree);

// Files equal but for what the clock and the allocator write into them: seconds and peak_bytes of metrics.jsonl, and
// both in report.html.
bool same_file(const std::string& path, const std::string& a, const std::string& b);

// The first difference in words; empty: the trees are the same.
std::string difference(const Tree& got, const Tree& wanted);

// Whether a file is whole as its kind: a checkpoint loads, JSON parses, a page ends. Unknown kinds count as torn.
bool is_whole(const std::filesystem::path& folder, const std::string& path, const std::string& bytes);

}  // namespace avs::faults
