// A folder's contents in memory: restored before every trial and compared after it.
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

// Relative path -> file; a folder's path ends with '/' and precedes its contents.
using Tree = std::map<std::string, Node>;

Tree capture(const std::filesystem::path& folder);

// Makes `folder` hold exactly `tree`, including modification times.
void restore(const std::filesystem::path& folder, const Tree& tree);

// Compares files without times and memory: seconds and peak_bytes of metrics.jsonl, and both in report.html.
bool same_file(const std::string& path, const std::string& a, const std::string& b);

// Describes the first difference; empty: the trees are equal.
std::string difference(const Tree& got, const Tree& wanted);

// Is a file complete for its type (a checkpoint loads, JSON parses, a page ends)? False for unknown types.
bool is_whole(const std::filesystem::path& folder, const std::string& path, const std::string& bytes);

}  // namespace avs::faults
