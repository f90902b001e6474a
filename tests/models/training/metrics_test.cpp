// Metrics against hand counts, and against the paper's own table.
#include "models/training/metrics.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "models/printable.h"
#include "tests/op_case.h"

namespace avs {
namespace {

ClipResult clip(const std::string& id, int64_t label, std::vector<float> p) { return {id, label, std::move(p)}; }

// Three classes, six clips, one class without a clip.
Evaluation small() {
  return evaluate(
      {clip("a", 0, {0.5f, 0.25f, 0.25f}), clip("b", 0, {0.25f, 0.5f, 0.25f}), clip("c", 0, {1.0f, 0, 0}),
       clip("d", 1, {0.25f, 0.5f, 0.25f}), clip("e", 1, {0.125f, 0.125f, 0.75f}), clip("f", 0, {0, 0, 1.0f})},
      {"bus", "park", "tram"});
}

TEST(Metrics, MatchCountsDoneByHand) {
  const Evaluation e = small();
  EXPECT_EQ(e.clips, 6);
  EXPECT_DOUBLE_EQ(e.micro_accuracy, 3.0 / 6);                  // a, c, d
  EXPECT_DOUBLE_EQ(e.macro_accuracy, (2.0 / 4 + 1.0 / 2) / 2);  // tram has no clips and is left out
  const double bus = -(std::log(0.5) + std::log(0.25) + 0 + std::log(1e-15)), park = -(std::log(0.5) + std::log(0.125));
  EXPECT_NEAR(e.log_loss, (bus + park) / 6, 1e-12);
  EXPECT_NEAR(e.macro_log_loss, (bus / 4 + park / 2) / 2, 1e-12);
  EXPECT_EQ(e.confusion, (std::vector<std::vector<int64_t>>{{2, 1, 1}, {0, 1, 1}, {0, 0, 0}}));
  EXPECT_EQ(e.per_class[0].correct, 2);
  EXPECT_EQ(e.per_class[2].clips, 0);
}

TEST(Metrics, AClassWithoutClipsHasNoFigureAndTheTableSaysSo) {
  const Evaluation e = small();
  EXPECT_FALSE(e.per_class[2].accuracy.has_value());
  EXPECT_FALSE(e.per_class[2].log_loss.has_value());
  EXPECT_EQ(e.per_class[0].accuracy, 0.5);
  const nlohmann::json tram = nlohmann::json::parse(to_json(e))["per_class"][2];
  EXPECT_TRUE(tram["accuracy"].is_null() && tram["log_loss"].is_null()) << tram;
  const std::string table = table_of({{"f1", e}});
  EXPECT_THAT(table, testing::HasSubstr("\ntram                  –\n"));
  EXPECT_THAT(table, testing::EndsWith("\nno clips of 1 of 3 classes, which the means over classes leave out: tram\n"));
  EXPECT_THAT(table_of({{"f1", e}, {"f4", e}}), testing::HasSubstr("\nf4: no clips of 1 of 3 classes"));
  EXPECT_EQ(absent_classes(evaluate({clip("a", 0, {1, 0}), clip("b", 1, {0, 1})}, {"x", "y"})), "");
}

TEST(Metrics, ATieGoesToTheLowerClass) { EXPECT_EQ(clip("a", 0, {0.2f, 0.4f, 0.4f}).predicted(), 1); }

TEST(Metrics, BetterMeansHigherAccuracyThenLowerLogLoss) {
  EXPECT_TRUE(better({0.9, 2.0}, {0.8, 0.1}));
  EXPECT_TRUE(better({0.9, 0.1}, {0.9, 0.2}));
  EXPECT_FALSE(better({0.9, 0.1}, {0.9, 0.1}));
  EXPECT_TRUE(better({0.0, 9.0}, Score{}));
}

TEST(Metrics, JsonHasTheAgreedKeys) {
  const nlohmann::json j = nlohmann::json::parse(to_json(small()));
  for (const char* key :
       {"clips", "classes", "micro_accuracy", "macro_accuracy", "log_loss", "macro_log_loss", "per_class", "confusion"})
    EXPECT_TRUE(j.contains(key)) << key;
  EXPECT_EQ(j["per_class"][1]["name"], "park");
  EXPECT_EQ(j["confusion"][1][2], 1);
}

TEST(Metrics, TheTableHasClassesAsRowsAndMethodsAsColumns) {
  const std::string table = table_of({{"f1", small()}, {"f4", small()}});
  EXPECT_NE(table.find("     f1       f4\n"), std::string::npos) << table;
  EXPECT_NE(table.find("\npark               50.0     50.0\n"), std::string::npos) << table;
  EXPECT_NE(table.find("\noverall            50.0     50.0\n"), std::string::npos) << table;
}

TEST(Metrics, TheSubmissionIsTabSeparatedWithOneProbabilityPerClass) {
  const std::string text = submission_of(small());
  EXPECT_EQ(text.substr(0, text.find('\n')), "filename\tscene_label\tbus\tpark\ttram");
  EXPECT_NE(text.find("\na\tbus\t0.500000\t0.250000\t0.250000\n"), std::string::npos) << text;
}

// Every reader of tables finds the same columns, and no spreadsheet a formula.
TEST(Metrics, NamesCannotBreakTheSubmission) {
  const std::vector<std::string> names = {"tab\there",  "=cmd|'/C calc'!A0", "+1",       "-1",    "@x",
                                          "\"quoted\"", "two\nlines",        "\x1b[31m", "b\xff", "plain - name"};
  std::vector<ClipResult> rows;
  for (size_t i = 0; i < names.size(); ++i) {
    rows.push_back(clip(names[i], static_cast<int64_t>(i), std::vector<float>(names.size(), 0.0f)));
    rows.back().probabilities[i] = 1;
  }
  std::istringstream lines(submission_of(evaluate(rows, names)));
  std::string line;
  int64_t count = 0;
  for (; std::getline(lines, line); ++count) {
    EXPECT_EQ(std::ranges::count(line, '\t'), static_cast<int64_t>(names.size()) + 1) << line;
    EXPECT_EQ(line.find_first_of("\x1b\r\xff"), std::string::npos);
    std::istringstream cells(line);
    for (std::string cell; std::getline(cells, cell, '\t');)
      EXPECT_EQ(std::string("=+-@").find(cell.front()), std::string::npos) << cell;
  }
  EXPECT_EQ(count, 11);
  const std::string text = submission_of(evaluate(rows, names));
  EXPECT_THAT(text, testing::HasSubstr("\ntab\\there\ttab\\there\t1.000000"));
  EXPECT_THAT(text, testing::HasSubstr("\n'=cmd|'/C calc'!A0\t"));
  EXPECT_THAT(text, testing::HasSubstr("\n\"\"\"quoted\"\"\"\t"));
  EXPECT_THAT(text, testing::HasSubstr("\nplain - name\t"));
}

TEST(Metrics, TheTableStaysATableWhateverNamesAre) {
  const std::vector<std::string> names = {"plaça", "駅", "\x1b[2J\n", std::string(1000, 'x')};
  const Evaluation e = evaluate({clip("a", 0, {1, 0, 0, 0})}, names);
  const std::string table = table_of({{"\tf1", e}});
  EXPECT_EQ(std::ranges::count(table, '\n'), 11);  // heading, 4 classes, 5 figures, the absent classes
  EXPECT_EQ(table.find_first_of("\x1b\t"), std::string::npos);
  std::istringstream lines(table);
  std::string line;
  for (int64_t i = 0; i < 4; ++i) {
    std::getline(lines, line);
    EXPECT_EQ(columns_of(line), columns_of(table.substr(0, table.find('\n')))) << line;
  }
}

TEST(Metrics, RefuseWhatCannotBeCounted) {
  EXPECT_THAT(error_of<DataError>([] {
                evaluate(std::vector<ClipResult>{}, {"a", "b"});
              }),
              testing::HasSubstr("no clips"));
  EXPECT_THAT(error_of<DataError>([] {
                evaluate({clip("x", 2, {0.5f, 0.5f})}, {"a", "b"});
              }),
              testing::HasSubstr("label 2"));
  EXPECT_THAT(error_of<DataError>([] {
                evaluate({clip("x", 0, {NAN, 0.5f})}, {"a", "b"});
              }),
              testing::HasSubstr("'x'"));
}

// Table I's percentages determine the counts, because a class has at most 421 clips and one clip is more than 0.2 %.
// From the counts our metrics must find the totals and macro accuracies that docs/paper.md#data-set-and-metric names.
TEST(Metrics, ReproduceThePapersTotalsFromItsTable) {
  const std::vector<std::string> classes = {"airport",        "bus",           "metro",         "metro_station",
                                            "park",           "public_square", "shopping_mall", "street_pedestrian",
                                            "street_traffic", "tram"};
  const std::vector<int64_t> clips = {281, 327, 360, 386, 386, 387, 387, 421, 402, 308};
  const std::vector<std::vector<double>> percent = {
      {87.9, 82.2, 85.4, 87.9, 86.8, 83.3}, {96.9, 96.3, 99.1, 97.6, 99.1, 97.6}, {97.5, 94.2, 96.9, 97.2, 98.1, 96.9},
      {98.2, 97.7, 98.2, 98.7, 99.0, 97.9}, {95.6, 92.7, 93.8, 97.9, 99.0, 98.2}, {92.0, 91.7, 89.7, 91.5, 87.9, 88.1},
      {91.0, 90.7, 88.9, 93.5, 92.5, 92.0}, {99.3, 99.5, 99.5, 99.5, 99.5, 99.0}, {96.3, 96.5, 96.8, 96.0, 95.8, 95.5},
      {83.1, 91.2, 84.1, 90.6, 90.3, 85.7}};
  const std::vector<int64_t> correct = {3432, 3414, 3412, 3475, 3465, 3421};
  const std::vector<double> macro = {93.78, 93.27, 93.24, 95.04, 94.80, 93.42};
  for (size_t method = 0; method < correct.size(); ++method) {
    std::vector<ClipResult> rows;
    for (size_t c = 0; c < classes.size(); ++c) {
      const auto right = static_cast<int64_t>(std::llround(percent[c][method] / 100 * static_cast<double>(clips[c])));
      for (int64_t i = 0; i < clips[c]; ++i) {
        std::vector<float> p(classes.size(), 0.0f);
        p[i < right ? c : (c + 1) % classes.size()] = 1.0f;
        rows.push_back(clip(str(classes[c], i), static_cast<int64_t>(c), p));
      }
    }
    const Evaluation e = evaluate(std::move(rows), classes);
    EXPECT_EQ(e.clips, 3645);
    EXPECT_NEAR(e.micro_accuracy * 3645, static_cast<double>(correct[method]), 1e-9) << "f" << method + 1;
    EXPECT_NEAR(100 * e.macro_accuracy, macro[method], 0.05) << "f" << method + 1;
  }
}

}  // namespace
}  // namespace avs
