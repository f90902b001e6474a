#include "apps/report/reports.h"

#include <fmt/format.h>

#include "apps/report/page.h"
#include "tensor/require.h"

namespace avs::report {
namespace {

std::string duration(double seconds) {
  if (seconds < 100) return fmt::format("{:.1f} s", seconds);
  if (seconds < 100 * 60) return fmt::format("{:.1f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string mistakes(const Evaluation& evaluation) {
  std::vector<std::vector<std::string>> rows;
  for (const ClipResult& clip : evaluation.rows) {
    const int64_t answer = clip.predicted();
    if (answer == clip.label) continue;
    const auto of = [&](int64_t label) { return percent(clip.probabilities[static_cast<size_t>(label)], 1); };
    rows.push_back({escape(clip.id), escape(evaluation.classes[static_cast<size_t>(clip.label)]), of(clip.label),
                    escape(evaluation.classes[static_cast<size_t>(answer)]), of(answer)});
  }
  if (rows.empty()) return paragraph("None: every clip was recognised.");
  using enum TableColumn::Align;
  return table(str(rows.size(), " of ", evaluation.clips, " clips, with the probability given to both classes."),
               {{"clip", Text}, {"true class", Text}, {"given"}, {"answer", Text}, {"given"}}, rows);
}

}  // namespace

std::string run_report(const RunReport& run) {
  const RunHistory history = read_history(run.metrics_jsonl);
  Page page(run.name, run.description);
  std::vector<KeyFigure> figures;
  if (history.best_validation_accuracy >= 0)
    figures.push_back({percent(history.best_validation_accuracy), "validation accuracy at its best"});
  figures.push_back({str(history.best_epoch, " of ", history.epochs), "best epoch"});
  figures.push_back({str(history.steps), "steps"});
  figures.push_back({duration(history.seconds), "of training"});
  if (history.peak_bytes > 0)
    figures.push_back({fmt::format("{:.2f} GB", static_cast<double>(history.peak_bytes) / 1e9), "memory at its peak"});
  std::string training = key_figures(figures) + run_charts(history);
  if (history.unreadable_lines > 0)
    training += note(str(history.unreadable_lines, " lines of metrics.jsonl could not be read."));
  page.section("Training", training);
  if (run.validation) {
    const std::string matrix = confusion_matrix(*run.validation, "Clips of the validation split, counted.");
    page.section("Validation split", accuracy_figures(*run.validation) +
                                         side_by_side({class_bars({{"accuracy", *run.validation}}), matrix}));
    page.section("Mistakes", mistakes(*run.validation));
  }
  page.section("Configuration", preformatted(run.config_toml));
  return page.html();
}

std::string evaluation_report(const std::string& title, const std::string& about,
                              const std::vector<NamedEvaluation>& methods) {
  require<UsageError>(!methods.empty(), "evaluation_report: nothing was evaluated");
  Page page(title, about);
  if (methods.size() == 1) {
    page.section("Accuracy", accuracy_figures(methods[0].evaluation) + class_bars(methods));
  } else {
    page.section("Accuracy", accuracy_table(methods));
    page.section("Classes", class_bars(methods));
  }
  std::vector<std::string> matrices;
  for (const NamedEvaluation& method : methods)
    matrices.push_back(confusion_matrix(method.evaluation, str(method.method, ": clips, counted")));
  page.section("Confusion", side_by_side(matrices));
  page.section("Mistakes", mistakes(methods.back().evaluation));
  return page.html();
}

}  // namespace avs::report
