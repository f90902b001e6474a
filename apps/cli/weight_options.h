// Shared by programs that read published weight files: flags that override the file's conventions (--pool-padding,
// --input-scale), and the log of an import.
#pragma once

#include <string>
#include <vector>

#include "apps/cli/flags.h"
#include "models/weights/import.h"

namespace avs {

struct WeightOptions {
  std::string pool_padding = "file";  // counted, ignored, or file: the convention of the file's library
  std::string input_scale = "file";   // signed, imagenet, or file
  ImportOptions import() const;
};

inline constexpr const char* kPoolPaddingHelp =
    "is padding part of InceptionV3's averages? file: as the library does that the weight file is from";
inline constexpr const char* kInputScaleHelp =
    "what the weight file's first convolution was trained on. file: as its library does; signed: -1..1; imagenet: "
    "ImageNet's mean and deviation taken out";

void add_weight_options(Flags& flags, WeightOptions& options);
void restrict_weight_options(Flags& flags);  // restricts the values of flags that other code added

// Groups skipped names by reason: "AuxLogits.conv0.conv.weight and 11 more: why".
std::vector<std::string> by_reason(const std::vector<std::string>& skipped);

// Logs the layout, the number of values, and the skipped, default and converted tensors.
void log_import(const ImportReport& report, const std::string& file);

}  // namespace avs
