#include "models/training/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/printable.h"
#include "tensor/error.h"
#include "tensor/require.h"

namespace avs {
namespace {

constexpr double kSmallestProbability = 1e-15;  // scikit-learn's log_loss

void check_row(const ClipResult& row, size_t classes) {
  require<DataError>(row.probabilities.size() == classes, "evaluation: clip '", row.id, "' has ",
                     row.probabilities.size(), " probabilities for ", classes, " classes");
  require<DataError>(row.label >= 0 && row.label < static_cast<int64_t>(classes), "evaluation: clip '", row.id,
                     "' has label ", row.label, " of ", classes, " classes");
  for (const float p : row.probabilities)
    require<DataError>(std::isfinite(p), "evaluation: clip '", row.id, "' has a probability that is no number");
}

double log_loss_of(const ClipResult& row) {
  const double p = static_cast<double>(row.probabilities[static_cast<size_t>(row.label)]);
  return -std::log(std::clamp(p, kSmallestProbability, 1.0));
}

constexpr size_t kMaxNames = 10;  // classes in one line

std::string table_name(const std::string& name) { return shortened(printable(name), 80); }

std::optional<double> percent_of(const std::optional<double>& share) {
  return share ? std::optional(100 * *share) : std::nullopt;
}

// A name as a cell of a table of text.
std::string cell_of(const std::string& name) {
  std::string cell = printable(name);
  if (!cell.empty() && std::string_view("=+-@").find(cell.front()) != std::string_view::npos) cell.insert(0, 1, '\'');
  if (cell.find('"') == std::string::npos) return cell;
  std::string quoted = "\"";
  for (const char c : cell) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

double ratio(double sum, int64_t count) { return count == 0 ? 0.0 : sum / static_cast<double>(count); }

}  // namespace

int64_t ClipResult::predicted() const {
  return std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin();
}

Evaluation evaluate(std::vector<ClipResult> rows, const std::vector<std::string>& classes) {
  require<DataError>(!rows.empty(), "evaluation: no clips");
  Evaluation e;
  e.classes = classes;
  e.clips = static_cast<int64_t>(rows.size());
  e.confusion.assign(classes.size(), std::vector<int64_t>(classes.size(), 0));
  for (const std::string& name : classes) e.per_class.push_back({name, 0, 0, {}, {}});
  std::vector<double> losses(classes.size(), 0.0);

  for (const ClipResult& row : rows) {
    check_row(row, classes.size());
    ClassScore& score = e.per_class[static_cast<size_t>(row.label)];
    const int64_t predicted = row.predicted();
    ++score.clips;
    if (predicted == row.label) ++score.correct;
    losses[static_cast<size_t>(row.label)] += log_loss_of(row);
    ++e.confusion[static_cast<size_t>(row.label)][static_cast<size_t>(predicted)];
  }
  int64_t correct = 0, present = 0;
  for (size_t c = 0; c < classes.size(); ++c) {
    ClassScore& score = e.per_class[c];
    if (score.clips == 0) continue;
    correct += score.correct;
    e.log_loss += losses[c];
    score.accuracy = ratio(static_cast<double>(score.correct), score.clips);
    score.log_loss = ratio(losses[c], score.clips);
    ++present;
    e.macro_accuracy += *score.accuracy;
    e.macro_log_loss += *score.log_loss;
  }
  e.micro_accuracy = ratio(static_cast<double>(correct), e.clips);
  e.log_loss = ratio(e.log_loss, e.clips);
  e.macro_accuracy = ratio(e.macro_accuracy, present);
  e.macro_log_loss = ratio(e.macro_log_loss, present);
  e.rows = std::move(rows);
  return e;
}

Evaluation evaluate(const Tensor& probabilities, const std::vector<std::string>& ids,
                    const std::vector<int64_t>& labels, const std::vector<std::string>& classes) {
  const int64_t n = static_cast<int64_t>(ids.size()), c = static_cast<int64_t>(classes.size());
  require<ShapeError>((probabilities.shape() == Shape{n, c}) && labels.size() == ids.size(),
                      "evaluation: probabilities are ", probabilities.shape(), " for ", n, " clips, ", labels.size(),
                      " labels and ", c, " classes");
  const std::vector<float> values = probabilities.to_vector();
  std::vector<ClipResult> rows(ids.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto first = values.begin() + static_cast<int64_t>(i) * c;
    rows[i] = {ids[i], labels[i], {first, first + c}};
  }
  return evaluate(std::move(rows), classes);
}

std::string to_json(const Evaluation& e) {
  nlohmann::ordered_json json;
  json["clips"] = e.clips;
  json["classes"] = e.classes;
  json["micro_accuracy"] = e.micro_accuracy;
  json["macro_accuracy"] = e.macro_accuracy;
  json["log_loss"] = e.log_loss;
  json["macro_log_loss"] = e.macro_log_loss;
  json["per_class"] = nlohmann::ordered_json::array();
  const auto figure = [](const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
  };
  for (const ClassScore& s : e.per_class)
    json["per_class"].push_back({{"name", s.name},
                                 {"clips", s.clips},
                                 {"correct", s.correct},
                                 {"accuracy", figure(s.accuracy)},
                                 {"log_loss", figure(s.log_loss)}});
  json["confusion"] = e.confusion;
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string absent_classes(const Evaluation& e) {
  std::string names;
  size_t absent = 0;
  for (const ClassScore& score : e.per_class)
    if (score.clips == 0 && ++absent <= kMaxNames) names += (names.empty() ? "" : ", ") + table_name(score.name);
  if (absent == 0) return {};
  return fmt::format("no clips of {} of {} classes, which the means over classes leave out: {}{}", absent,
                     e.per_class.size(), names, absent > kMaxNames ? ", …" : "");
}

std::string table_of(const std::vector<NamedEvaluation>& columns) {
  require<UsageError>(!columns.empty(), "table: no evaluation to show");
  const Evaluation& first = columns.front().evaluation;
  int64_t name_width = columns_of("macro accuracy");
  for (const std::string& name : first.classes) name_width = std::max(name_width, columns_of(table_name(name)));
  std::vector<int64_t> widths;
  std::string text = fmt::format("{:<{}}", "accuracy, %", name_width), notes;
  for (const NamedEvaluation& column : columns) {
    require<UsageError>(column.evaluation.classes == first.classes, "table: '", column.method,
                        "' has other classes than '", columns.front().method, "'");
    const std::string method = table_name(column.method), absent = absent_classes(column.evaluation);
    widths.push_back(std::max<int64_t>(7, columns_of(method)) + 2);
    text += fmt::format("{:>{}}", method, widths.back());
    if (!absent.empty()) notes += columns.size() == 1 ? absent + "\n" : method + ": " + absent + "\n";
  }

  const auto row = [&](const std::string& name, int decimals, const auto& value_of) {
    text += fmt::format("\n{:<{}}", name, name_width);
    for (size_t i = 0; i < columns.size(); ++i) {
      const std::optional<double> value = value_of(columns[i].evaluation);
      text += fmt::format("{:>{}}", value ? fmt::format("{:.{}f}", *value, decimals) : "–", widths[i]);
    }
  };
  for (size_t c = 0; c < first.classes.size(); ++c)
    row(table_name(first.classes[c]), 1, [c](const Evaluation& e) { return percent_of(e.per_class[c].accuracy); });
  row("overall", 1, [](const Evaluation& e) { return 100 * e.micro_accuracy; });
  row("macro accuracy", 1, [](const Evaluation& e) { return 100 * e.macro_accuracy; });
  row("log loss", 3, [](const Evaluation& e) { return e.log_loss; });
  row("macro log loss", 3, [](const Evaluation& e) { return e.macro_log_loss; });
  row("clips", 0, [](const Evaluation& e) { return static_cast<double>(e.clips); });
  return text + "\n" + notes;
}

std::string submission_of(const Evaluation& e) {
  std::string text = "filename\tscene_label";
  for (const std::string& name : e.classes) text += fmt::format("\t{}", cell_of(name));
  text += '\n';
  for (const ClipResult& row : e.rows) {
    text += fmt::format("{}\t{}", cell_of(row.id), cell_of(e.classes[static_cast<size_t>(row.predicted())]));
    for (const float p : row.probabilities) text += fmt::format("\t{:.6f}", p);
    text += '\n';
  }
  return text;
}

bool better(Score a, Score b) { return a.accuracy != b.accuracy ? a.accuracy > b.accuracy : a.log_loss < b.log_loss; }

}  // namespace avs
