// The checkout as the structure tests read it: every source file with its lines, and its code with comments and string
// literals blanked out.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace avs::structure {

struct SourceFile {
  std::string path;                // from the root: "tensor/ops/gelu.h"
  std::vector<std::string> lines;  // as written
  std::vector<std::string> code;   // the same lines without comments and the contents of strings
  std::string folder() const;      // "tensor"; empty for files in the root
  std::string extension() const;   // ".h"
  bool is_header() const;          // .h, .cuh
  bool is_code() const;            // a header, .cpp or .cu
};

std::filesystem::path root();
bool exists(const std::string& path);  // from the root

// Everything below the root except build trees, hidden folders and binary files; sorted by path; read once.
const std::vector<SourceFile>& source_files();

// The paths in #include "..." lines.
std::vector<std::string> project_includes(const SourceFile& file);

// All complaints as one text, a line each: what a failing test prints.
std::string listed(const std::vector<std::string>& complaints);

}  // namespace avs::structure
