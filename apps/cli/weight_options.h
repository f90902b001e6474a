// What programs that read published weight files share: the flags that override what the file's origin says
// (--pool-padding, --input-scale), and the lines that say what became of the file.
#pragma once

#include <string>
#include <vector>

#include "apps/cli/flags.h"
#include "models/weights/import.h"

namespace avs {

struct WeightOptions {
  std::string pool_padding = "file";  // counted, ignored; file: as the library does that the file is from
  std::string input_scale = "file";   // signed, imagenet
  ImportOptions import() const;
};

inline constexpr const char* kPoolPaddingHelp =
    "is padding part of InceptionV3's averages? file: as the library does that the weight file is from";
inline constexpr const char* kInputScaleHelp =
    "what the weight file's first convolution was trained on. file: as its library does; signed: -1..1; imagenet: "
    "ImageNet's mean and deviation taken out";

void add_weight_options(Flags& flags, WeightOptions& options);
void restrict_weight_options(Flags& flags);  // their values, where another list of flags has added them

// "AuxLogits.conv0.conv.weight and 11 more: why": the names that were skipped for one reason together.
std::vector<std::string> by_reason(const std::vector<std::string>& skipped);

// To the log: layout, values, what was skipped, what is not from the file, what was converted.
void log_import(const ImportReport& report, const std::string& file);

}  // namespace avs
