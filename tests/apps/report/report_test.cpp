// The reports' HTML: escaped, well-formed, and with the right numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

#include "apps/report/page.h"
#include "apps/report/reports.h"

namespace avs::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string> kClasses = {"beach", "R&B <club>", "tram"};

// Ten clips: the first two of every class are right; the last "tram" is classified as a beach.
Evaluation some_evaluation() {
  std::vector<ClipResult> rows;
  for (int64_t label = 0; label < 3; ++label)
    for (int64_t i = 0; i < 3; ++i) {
      std::vector<float> p = {0.1f, 0.1f, 0.1f};
      p[static_cast<size_t>(label == 2 && i == 2 ? 0 : label)] = 0.8f;
      rows.push_back({str("clip<", label, "-", i, ">"), label, p});
    }
  return evaluate(std::move(rows), kClasses);
}

int64_t count(const std::string& text, const std::string& what) {
  int64_t n = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++n;
  return n;
}

// Checks that every opened element is closed, in order.
void expect_balanced(const std::string& html) {
  const std::regex tag("<(/?)([a-z0-9]+)([^>]*)>", std::regex::icase);
  std::vector<std::string> open;
  for (auto it = std::sregex_iterator(html.begin(), html.end(), tag); it != std::sregex_iterator(); ++it) {
    const std::string name = (*it)[2], rest = (*it)[3];
    if (name == "meta" || name == "img" || (!rest.empty() && rest.back() == '/')) continue;
    if ((*it)[1].length() == 0) {
      open.push_back(name);
      continue;
    }
    ASSERT_FALSE(open.empty()) << "</" << name << "> closes nothing";
    ASSERT_EQ(open.back(), name) << "closed in the wrong order";
    open.pop_back();
  }
  EXPECT_TRUE(open.empty()) << "<" << (open.empty() ? "" : open.back()) << "> is never closed";
}

TEST(Report, EscapesWhatHtmlWouldTakeForItsOwn) {
  EXPECT_EQ(escape("<b class=\"x\">Tom & 'Jerry'</b>"),
            "&lt;b class=&quot;x&quot;&gt;Tom &amp; &#39;Jerry&#39;&lt;/b&gt;");
  EXPECT_EQ(escape("a\x01z\n"), "a\xEF\xBF\xBDz\n");
  EXPECT_EQ(escape("plaça ☂"), "plaça ☂");
}

TEST(Report, EncodesBase64AsRfc4648Does) {
  const auto of = [](std::string_view text) {
    return base64({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  };
  EXPECT_EQ(of(""), "");
  EXPECT_EQ(of("f"), "Zg==");
  EXPECT_EQ(of("fo"), "Zm8=");
  EXPECT_EQ(of("foo"), "Zm9v");
  EXPECT_EQ(of("foobar"), "Zm9vYmFy");
}

TEST(Report, AxisTicksAreRoundAndCoverTheRange) {
  EXPECT_EQ(axis_ticks(0, 1, 5), (std::vector<double>{0, 0.2, 0.4, 0.6000000000000001, 0.8, 1}));
  for (const auto& [low, high] : {std::pair{0.13, 0.97}, {1e-5, 2e-3}, {-3.0, 12.0}, {5.0, 5.0}}) {
    const std::vector<double> ticks = axis_ticks(low, high, 5);
    EXPECT_LE(ticks.front(), low + 1e-12);
    EXPECT_GE(ticks.back(), high - 1e-12);
    EXPECT_GE(ticks.size(), 2u);
    EXPECT_LE(ticks.size(), 12u);
  }
}

TEST(Report, AChartLeavesOutWhatIsNotFinite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::string svg =
      line_chart({.title = "Loss", .x_label = "epoch", .series = {{"a", {{1, 2}, {2, nan}, {3, 1}}}}});
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_EQ(count(svg, " L"), 1);  // two points, one line
  EXPECT_THAT(line_chart({.title = "Loss", .x_label = "epoch", .series = {{"a", {{1, nan}}}}}),
              HasSubstr("Nothing was recorded"));
}

TEST(Report, ReadsTheHistoryOfARunAndCountsBrokenLines) {
  const RunHistory history = read_history(
      R"({"kind":"step","epoch":1,"step":5,"loss":2.0,"learning_rate":0.001,"seconds":1.5,"peak_bytes":10})"
      "\n"
      R"({"kind":"epoch","epoch":1,"step":10,"loss":1.5,"accuracy":0.4,"learning_rate":0.002,"validation_micro_accuracy":0.5,"validation_log_loss":1.0,"best":true,"seconds":3,"peak_bytes":20})"
      "\n"
      "{\"kind\":\"epo\n"
      R"({"kind":"epoch","epoch":2,"step":20,"loss":1.0,"accuracy":0.6,"learning_rate":0.001,"validation_micro_accuracy":0.4,"validation_log_loss":1.2,"best":false,"seconds":6,"peak_bytes":20})"
      "\n");
  EXPECT_EQ(history.epochs, 2);
  EXPECT_EQ(history.steps, 20);
  EXPECT_EQ(history.best_epoch, 1);
  EXPECT_EQ(history.best_validation_accuracy, 0.5);
  EXPECT_EQ(history.seconds, 6);
  EXPECT_EQ(history.peak_bytes, 20);
  EXPECT_EQ(history.unreadable_lines, 1);
  EXPECT_EQ(history.loss.points, (std::vector<std::pair<double, double>>{{1, 1.5}, {2, 1.0}}));
  EXPECT_EQ(history.learning_rate.points.front().first, 0.5);  // step 5 of 10 per epoch
}

TEST(Report, OfARunHasCurvesMatrixMistakesAndConfiguration) {
  const std::string html =
      run_report({"aud-mel", "width 0.25", "epochs = 2 # <few>\n",
                  R"({"kind":"epoch","epoch":1,"step":10,"loss":1.5,"accuracy":0.4,"learning_rate":0.001,"best":true})",
                  some_evaluation()});
  expect_balanced(html);
  EXPECT_EQ(count(html, "<svg"), 3);
  EXPECT_THAT(html, HasSubstr("epochs = 2 # &lt;few&gt;"));
  EXPECT_THAT(html, HasSubstr("1 of 9 clips"));
  EXPECT_THAT(html, HasSubstr("clip&lt;2-2&gt;"));
  EXPECT_THAT(html, Not(HasSubstr("R&B")));
}

TEST(Report, OfSeveralMethodsMarksTheBestAndIsSelfContained) {
  Evaluation worse = some_evaluation();
  worse.rows[0].probabilities = {0.1f, 0.8f, 0.1f};
  worse = evaluate(worse.rows, kClasses);
  const std::string html =
      evaluation_report("Test split", "two methods", {{"audio", worse}, {"both", some_evaluation()}});
  expect_balanced(html);
  EXPECT_THAT(html, HasSubstr("<span class=\"best\">88.9</span>"));  // 8 of 9
  EXPECT_EQ(count(html, "class=\"confusion\""), 2);
  for (const char* outside : {"<script", "http:", "https:", "<link", "@import", "url("})
    EXPECT_THAT(html, Not(HasSubstr(outside)));
}

TEST(Report, AClassWithoutClipsHasNoFigureAndANoteSaysSo) {
  const Evaluation e = evaluate({{"a", 0, {0.9f, 0.1f}}}, {"bus", "<tram>"});
  for (const std::string& html :
       {evaluation_report("t", "a", {{"f4", e}}), evaluation_report("t", "a", {{"f1", e}, {"f4", e}})}) {
    expect_balanced(html);
    EXPECT_THAT(html, HasSubstr("no clips of 1 of 2 classes, which the means over classes leave out: &lt;tram&gt;"));
    EXPECT_THAT(html, Not(HasSubstr("<span class=\"best\">0.0</span>")));
    EXPECT_THAT(html, HasSubstr("no clips</span>"));
  }
  EXPECT_THAT(accuracy_table({{"f1", e}, {"f4", e}}), HasSubstr("&lt;tram&gt;</th><td class=\"n\">–</td>"));
  EXPECT_THAT(evaluation_report("t", "a", {{"f4", some_evaluation()}}), Not(HasSubstr("leave out")));
}

TEST(Report, RefusesEvaluationsOfDifferentClasses) {
  Evaluation other = evaluate({{"a", 0, {0.5f, 0.5f}}}, {"one", "two"});
  EXPECT_THROW(accuracy_table({{"a", some_evaluation()}, {"b", other}}), UsageError);
  EXPECT_THROW(evaluation_report("t", "a", {}), UsageError);
}

}  // namespace
}  // namespace avs::report
