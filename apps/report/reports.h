// The pages that programs write beside their results; each returns a whole HTML file as text.
//
//   train_backbone   write_text(run.report(), report::run_report({...}))       at each epoch's end if it likes
//   evaluate         write_text(file, report::evaluation_report(title, {{"f4", evaluation}}))
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/report/parts.h"

namespace avs::report {

struct RunReport {
  std::string name;                      // the RUN folder's: the page's title
  std::string description;               // one line: "aud-mel at width 0.25, 8 classes, 12 epochs"
  std::string config_toml;               // as in config.toml
  std::string metrics_jsonl;             // as in metrics.jsonl
  std::optional<Evaluation> validation;  // of the best epoch; absent without a validation split
};
std::string run_report(const RunReport& run);

// One or several classifiers on the same clips: figures, Table I, bars by class, confusion matrices, and the clips that
// the last one got wrong. `title` is the page's, `about` one line below it.
std::string evaluation_report(const std::string& title, const std::string& about,
                              const std::vector<NamedEvaluation>& methods);

}  // namespace avs::report
