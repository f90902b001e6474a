#include "apps/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "apps/report/page.h"

namespace avs::report {
namespace {

constexpr double kWidth = 520, kHeight = 250, kLeft = 52, kRight = 12, kTop = 10, kBottom = 40;

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -std::numeric_limits<double>::infinity();
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

bool is_finite(const std::pair<double, double>& point) {
  return std::isfinite(point.first) && std::isfinite(point.second);
}

struct Plane {
  std::vector<double> x_ticks, y_ticks;
  double x(double value) const { return kLeft + place(value, x_ticks) * (kWidth - kLeft - kRight); }
  double y(double value) const { return kHeight - kBottom - place(value, y_ticks) * (kHeight - kTop - kBottom); }
  static double place(double value, const std::vector<double>& ticks) {
    return std::clamp((value - ticks.front()) / (ticks.back() - ticks.front()), 0.0, 1.0);
  }
};

std::string label_of(double value, LineChart::Numbers numbers) {
  if (numbers == LineChart::Numbers::Percent) return fmt::format("{:.4g} %", 100 * value);
  return fmt::format("{:.4g}", std::abs(value) < 1e-12 ? 0.0 : value);
}

std::string axes(const LineChart& chart, const Plane& plane) {
  std::string out;
  for (const double tick : plane.y_ticks) {
    const double y = plane.y(tick);
    out += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>", kLeft, kWidth - kRight,
                       y, y);
    out += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n", kLeft - 6, y + 4,
                       label_of(tick, chart.y_numbers));
  }
  for (const double tick : plane.x_ticks)
    out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", plane.x(tick),
                       kHeight - kBottom + 16, label_of(tick, LineChart::Numbers::Plain));
  out += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", (kLeft + kWidth - kRight) / 2,
                     kHeight - 6, escape(chart.x_label));
  return out;
}

std::string curve(const Series& series, size_t index, const Plane& plane) {
  std::string path;
  std::pair<double, double> last;
  int64_t count = 0;
  for (const auto& point : series.points) {
    if (!is_finite(point)) continue;
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : " L", plane.x(point.first), plane.y(point.second));
    last = point;
    ++count;
  }
  if (count == 0) return "";
  const std::string colour = fmt::format("var(--c{})", index % 8);
  return fmt::format(
      "<path class=\"line\" style=\"stroke:{}\" d=\"{}\"/><circle style=\"fill:{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" "
      "r=\"3\"/>\n",
      colour, path, colour, plane.x(last.first), plane.y(last.second));
}

std::string legend(const std::vector<Series>& series) {
  std::string out = "<ul class=\"legend\">";
  for (size_t i = 0; i < series.size(); ++i)
    out += fmt::format("<li><i style=\"background:var(--c{})\"></i>{}</li>", i % 8, escape(series[i].name));
  return out + "</ul>\n";
}

// Describes the curves in words: their first and last values.
std::string summary(const LineChart& chart) {
  std::string out = str(chart.title, " by ", chart.x_label);
  for (const Series& series : chart.series)
    if (!series.points.empty())
      out += str("; ", series.name, " from ", label_of(series.points.front().second, chart.y_numbers), " to ",
                 label_of(series.points.back().second, chart.y_numbers));
  return out;
}

}  // namespace

std::vector<double> axis_ticks(double low, double high, int about) {
  if (!(high > low)) {
    const double half = low == 0 ? 0.5 : std::abs(low) * 0.1;
    return axis_ticks(low - half, low + half, about);
  }
  const double rough = (high - low) / about, power = std::pow(10, std::floor(std::log10(rough)));
  const double step = power * (rough / power < 1.5 ? 1 : rough / power < 3.5 ? 2 : rough / power < 7.5 ? 5 : 10);
  std::vector<double> ticks;
  const double first = std::floor(low / step + 1e-9), last = std::ceil(high / step - 1e-9);
  for (double k = first; k <= last; k += 1) ticks.push_back(k * step);
  return ticks;
}

std::string line_chart(const LineChart& chart) {
  Range x, y;
  for (const Series& series : chart.series)
    for (const auto& point : series.points)
      if (is_finite(point)) {
        x.include(point.first);
        y.include(point.second);
      }
  const std::string caption = str("<figure><figcaption>", escape(chart.title), "</figcaption>\n");
  if (x.empty()) return caption + note("Nothing was recorded.") + "</figure>\n";
  Plane plane{axis_ticks(x.low, x.high, 6), axis_ticks(chart.y_min.value_or(y.low), chart.y_max.value_or(y.high), 5)};
  // The x axis ends at the first and last value instead of round numbers: no empty strip beside the curves.
  if (x.high > x.low) {
    std::erase_if(plane.x_ticks, [&](double tick) { return tick < x.low || tick > x.high; });
    if (plane.x_ticks.empty() || plane.x_ticks.front() > x.low) plane.x_ticks.insert(plane.x_ticks.begin(), x.low);
    if (plane.x_ticks.back() < x.high) plane.x_ticks.push_back(x.high);
  }
  std::string out = caption + fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">\n", kWidth,
                                          kHeight, escape(summary(chart)));
  out += axes(chart, plane);
  for (size_t i = 0; i < chart.series.size(); ++i) out += curve(chart.series[i], i, plane);
  return out + "</svg>\n" + legend(chart.series) + "</figure>\n";
}

}  // namespace avs::report
