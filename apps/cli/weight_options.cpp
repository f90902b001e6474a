#include "apps/cli/weight_options.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace avs {

ImportOptions WeightOptions::import() const {
  ImportOptions import;
  if (pool_padding != "file")
    import.pool_padding = pool_padding == "counted" ? PoolPadding::Counted : PoolPadding::Ignored;
  if (input_scale != "file")
    import.input_scale = input_scale == "imagenet" ? InputScale::ImageNet : InputScale::MinusOneToOne;
  return import;
}

void add_weight_options(Flags& flags, WeightOptions& options) {
  flags.add("--pool-padding", options.pool_padding, kPoolPaddingHelp).shows_default();
  flags.add("--input-scale", options.input_scale, kInputScaleHelp).shows_default();
  restrict_weight_options(flags);
}

void restrict_weight_options(Flags& flags) {
  flags.flag("--pool-padding").one_of({"file", "counted", "ignored"});
  flags.flag("--input-scale").one_of({"file", "signed", "imagenet"});
}

std::vector<std::string> by_reason(const std::vector<std::string>& skipped) {
  std::vector<std::pair<std::string, std::vector<std::string>>> reasons;
  for (const std::string& line : skipped) {
    const size_t colon = line.find(": ");
    const std::string name = line.substr(0, colon), reason = line.substr(colon + 2);
    auto known = std::find_if(reasons.begin(), reasons.end(), [&](const auto& r) { return r.first == reason; });
    if (known == reasons.end()) known = reasons.insert(reasons.end(), {reason, {}});
    known->second.push_back(name);
  }
  std::vector<std::string> lines;
  for (const auto& [reason, names] : reasons)
    lines.push_back(names.size() == 1 ? names[0] + ": " + reason
                                      : fmt::format("{} and {} more: {}", names[0], names.size() - 1, reason));
  return lines;
}

void log_import(const ImportReport& report, const std::string& file) {
  spdlog::info("{}: {} of {}, {} values", file, report.layout, report.model, report.parameters);
  for (const std::string& line : by_reason(report.skipped)) spdlog::info("  skipped: {}", line);
  for (const std::string& line : report.defaults) spdlog::info("  not from the file: {}", line);
  for (const std::string& line : report.notes) spdlog::info("  {}", line);
}

}  // namespace avs
