#include "apps/report/parts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/report/page.h"
#include "models/file.h"
#include "tensor/require.h"

namespace avs::report {
namespace {

using nlohmann::json;

double number(const json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

void add_epoch(const json& line, RunHistory& history) {
  const double epoch = number(line, "epoch");
  history.epochs = std::max(history.epochs, static_cast<int64_t>(epoch));
  history.loss.points.emplace_back(epoch, number(line, "loss"));
  history.l2.points.emplace_back(epoch, number(line, "l2"));
  history.training_accuracy.points.emplace_back(epoch, number(line, "accuracy"));
  history.validation_log_loss.points.emplace_back(epoch, number(line, "validation_log_loss"));
  const double accuracy = number(line, "validation_micro_accuracy");
  history.validation_accuracy.points.emplace_back(epoch, accuracy);
  if (line.value("best", false)) {
    history.best_epoch = static_cast<int64_t>(epoch);
    if (std::isfinite(accuracy)) history.best_validation_accuracy = accuracy;
  }
}

// Learning rates are recorded per step; the chart needs epochs: step / (steps per epoch).
void add_learning_rates(const std::vector<json>& lines, RunHistory& history) {
  const double steps_per_epoch =
      history.epochs > 0 ? std::max(1.0, static_cast<double>(history.steps) / static_cast<double>(history.epochs)) : 1;
  for (const json& line : lines)
    history.learning_rate.points.emplace_back(number(line, "step") / steps_per_epoch, number(line, "learning_rate"));
}

std::string bar_cell(const ClassScore& score, size_t colour) {
  if (!score.accuracy) return "<span class=\"note\">no clips</span>";
  return fmt::format("{} <span class=\"bar\"><i style=\"width:{:.1f}%;background:var(--c{})\"></i></span>",
                     percent(*score.accuracy, 0), 100 * *score.accuracy, colour % 8);
}

void check_same_classes(const std::vector<NamedEvaluation>& methods) {
  for (const NamedEvaluation& method : methods)
    require<UsageError>(method.evaluation.classes == methods.front().evaluation.classes, "the evaluations of ",
                        methods.front().method, " and ", method.method, " are of different classes");
}

// Names the classes without clips, which means over classes skip; one line per affected method.
std::string absent_note(const std::vector<NamedEvaluation>& methods) {
  std::string notes;
  for (const NamedEvaluation& method : methods)
    if (const std::string absent = absent_classes(method.evaluation); !absent.empty())
      notes += note(methods.size() == 1 ? absent : method.method + ": " + absent);
  return notes;
}

// One row of accuracies (or losses); all best values are marked.
std::vector<std::string> marked_row(const std::string& heading, const std::vector<std::optional<double>>& values,
                                    bool larger_is_better, int digits) {
  std::optional<double> best;
  for (const std::optional<double>& value : values)
    if (value && (!best || (larger_is_better ? *value > *best : *value < *best))) best = value;
  std::vector<std::string> row = {heading};
  for (const std::optional<double>& value : values) {
    const std::string text = value ? fixed(*value, digits) : "–";
    row.push_back(value && value == best && values.size() > 1 ? str("<span class=\"best\">", text, "</span>") : text);
  }
  return row;
}

}  // namespace

RunHistory read_history(const std::string& metrics_jsonl) {
  RunHistory history;
  history.loss.name = "loss without L2";
  history.l2.name = "L2 term";
  history.training_accuracy.name = "training (mixed rows)";
  history.validation_accuracy.name = history.validation_log_loss.name = "validation";
  history.learning_rate.name = "learning rate";
  std::vector<json> lines;
  for (const std::string& text : lines_of(metrics_jsonl)) {
    if (text.empty()) continue;
    json line = json::parse(text, nullptr, false);
    if (!line.is_object()) {
      ++history.unreadable_lines;
      continue;
    }
    history.steps = std::max(history.steps, line.value("step", int64_t{0}));
    history.seconds = std::max(history.seconds, line.value("seconds", 0.0));
    history.peak_bytes = std::max(history.peak_bytes, line.value("peak_bytes", int64_t{0}));
    if (line.value("kind", "") == "epoch") add_epoch(line, history);
    lines.push_back(std::move(line));
  }
  add_learning_rates(lines, history);
  return history;
}

std::string run_charts(const RunHistory& history) {
  const LineChart losses{
      .title = "Loss", .x_label = "epoch", .series = {history.loss, history.validation_log_loss}, .y_min = 0.0};
  const LineChart accuracies{.title = "Accuracy",
                             .x_label = "epoch",
                             .series = {history.training_accuracy, history.validation_accuracy},
                             .y_min = 0.0,
                             .y_max = 1.0,
                             .y_numbers = LineChart::Numbers::Percent};
  const LineChart rates{.title = "Learning rate", .x_label = "epoch", .series = {history.learning_rate}, .y_min = 0.0};
  return str("<div class=\"charts\">\n", line_chart(losses), line_chart(accuracies), line_chart(rates), "</div>\n");
}

std::string accuracy_figures(const Evaluation& evaluation) {
  return key_figures({{percent(evaluation.micro_accuracy), "of all clips right (micro)"},
                      {percent(evaluation.macro_accuracy), "mean over classes (macro)"},
                      {fixed(evaluation.log_loss, 3), "log loss"},
                      {fixed(evaluation.macro_log_loss, 3), "log loss, mean over classes"},
                      {str(evaluation.clips), "clips"}}) +
         absent_note({{"", evaluation}});
}

std::string class_bars(const std::vector<NamedEvaluation>& methods) {
  check_same_classes(methods);
  std::vector<TableColumn> columns = {{"class", TableColumn::Align::Text}, {"clips"}};
  for (const NamedEvaluation& method : methods) columns.push_back({method.method});
  std::vector<std::vector<std::string>> rows;
  const Evaluation& first = methods.front().evaluation;
  for (size_t c = 0; c < first.per_class.size(); ++c) {
    std::vector<std::string> row = {escape(first.per_class[c].name), str(first.per_class[c].clips)};
    for (size_t m = 0; m < methods.size(); ++m) row.push_back(bar_cell(methods[m].evaluation.per_class[c], m));
    rows.push_back(std::move(row));
  }
  return table("Share of each class's clips that were recognised.", columns, rows);
}

std::string confusion_matrix(const Evaluation& evaluation, const std::string& caption) {
  std::string out = str("<table class=\"confusion\">\n<caption>", escape(caption),
                        "</caption>\n<thead><tr><th>true class ↓ &nbsp; answer →</th>");
  for (const std::string& name : evaluation.classes) out += str("<th scope=\"col\">", escape(name), "</th>");
  out += "</tr></thead>\n<tbody>\n";
  for (size_t truth = 0; truth < evaluation.classes.size(); ++truth) {
    const std::vector<int64_t>& row = evaluation.confusion[truth];
    const double total = std::max(1.0, static_cast<double>(evaluation.per_class[truth].clips));
    out += str("<tr><th scope=\"row\">", escape(evaluation.classes[truth]), "</th>");
    for (size_t answer = 0; answer < row.size(); ++answer) {
      const double share = static_cast<double>(row[answer]) / total;
      const char* colour = truth == answer ? "37,99,235" : "217,72,15";
      out += row[answer] == 0
                 ? str("<td class=\"zero\">0</td>")
                 : fmt::format("<td{} style=\"background:rgba({},{:.2f})\">{}</td>",
                               share > 0.55 ? " class=\"dark\"" : "", colour, 0.12 + 0.83 * share, row[answer]);
    }
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n";
}

std::string accuracy_table(const std::vector<NamedEvaluation>& methods) {
  check_same_classes(methods);
  std::vector<TableColumn> columns = {{"class", TableColumn::Align::Text}};
  for (const NamedEvaluation& method : methods) columns.push_back({method.method});
  const auto row = [&](const std::string& heading, auto&& value, bool larger_is_better, int digits) {
    std::vector<std::optional<double>> values;
    for (const NamedEvaluation& method : methods) values.push_back(value(method.evaluation));
    return marked_row(heading, values, larger_is_better, digits);
  };
  std::vector<std::vector<std::string>> rows;
  const Evaluation& first = methods.front().evaluation;
  for (size_t c = 0; c < first.classes.size(); ++c)
    rows.push_back(row(
        escape(first.classes[c]),
        [&](const Evaluation& e) {
          const std::optional<double>& accuracy = e.per_class[c].accuracy;
          return accuracy ? std::optional(100 * *accuracy) : std::nullopt;
        },
        true, 1));
  rows.push_back(row(
      "overall", [](const Evaluation& e) { return 100 * e.micro_accuracy; }, true, 1));
  rows.push_back(row(
      "mean over classes", [](const Evaluation& e) { return 100 * e.macro_accuracy; }, true, 1));
  rows.push_back(row(
      "log loss", [](const Evaluation& e) { return e.log_loss; }, false, 3));
  return table("Accuracy in percent; the best of each row is marked.", columns, rows) + absent_note(methods);
}

}  // namespace avs::report
