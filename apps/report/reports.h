// HTML pages that programs write beside their results; each function returns a whole page.
//
//   train_backbone   write_text(run.report(), report::run_report({...}))
//   evaluate         write_text(file, report::evaluation_report(title, {{"f4", evaluation}}))
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/report/parts.h"

namespace avs::report {

struct RunReport {
  std::string name;                      // name of the RUN folder, the page's title
  std::string description;               // one line: "aud-mel at width 0.25, 8 classes, 12 epochs"
  std::string config_toml;               // text of config.toml
  std::string metrics_jsonl;             // text of metrics.jsonl
  std::optional<Evaluation> validation;  // evaluation of the best epoch; absent without a validation split
};
std::string run_report(const RunReport& run);

// Compares classifiers on the same clips: figures, Table I, per-class bars, confusion matrices, and the last
// classifier's wrong clips. `title`: the page's title, `about`: the line below it.
std::string evaluation_report(const std::string& title, const std::string& about,
                              const std::vector<NamedEvaluation>& methods);

}  // namespace avs::report
