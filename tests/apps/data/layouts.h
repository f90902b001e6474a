// Reading a layout in tests: as prepare has it when every clip decodes, its clips counted, its messages checked.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "apps/data/split.h"
#include "tests/models/data/small_data.h"

namespace avs::data {

inline void expect_one_line_with(const std::string& message, const std::vector<std::string>& words) {
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  for (const std::string& word : words)
    EXPECT_NE(message.find(word), std::string::npos) << "'" << word << "' in: " << message;
}

inline int64_t count(const Layout& layout, Split split, const std::string& name = "") {
  return std::count_if(layout.clips.begin(), layout.clips.end(), [&](const Clip& clip) {
    return clip.split == split && (name.empty() || layout.classes[static_cast<size_t>(clip.label)] == name);
  });
}

struct CutLayout : Layout {
  std::string validation_cut;
};

// The layout as prepare has it when every clip decodes.
inline CutLayout cut_layout(const std::filesystem::path& root, const SplitOptions& options = {}) {
  CutLayout layout{read_layout(root), {}};
  layout.validation_cut = cut_splits(layout, options);
  return layout;
}

}  // namespace avs::data
