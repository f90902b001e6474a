// The checkout for the structure tests: every source file's lines, and its code without comments and string contents.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace avs::structure {

struct SourceFile {
  std::string path;                // relative to the root: "tensor/ops/gelu.h"
  std::vector<std::string> lines;  // unchanged
  std::vector<std::string> code;   // the same lines without comments and contents of strings
  std::string folder() const;      // "tensor"; empty for files in the root
  std::string extension() const;   // ".h"
  bool is_header() const;          // .h, .cuh
  bool is_code() const;            // a header, .cpp or .cu
};

std::filesystem::path root();
bool exists(const std::string& path);  // relative to the root

// All files below the root except build trees, hidden folders and binary files; sorted by path; read once.
const std::vector<SourceFile>& source_files();

// The paths in #include "..." lines.
std::vector<std::string> project_includes(const SourceFile& file);

// All complaints as one text, one per line, for a failing test.
std::string listed(const std::vector<std::string>& complaints);

}  // namespace avs::structure
