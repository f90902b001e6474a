// Line charts as inline SVG.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace avs::report {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x, y; points that are not finite are skipped
};

struct LineChart {
  enum class Numbers : uint8_t { Plain, Percent };  // Percent: 0.5 is written "50 %"
  std::string title, x_label;
  std::vector<Series> series;                    // the first eight have different colours
  std::optional<double> y_min = {}, y_max = {};  // absent: computed from the points
  Numbers y_numbers = Numbers::Plain;
};

// Returns a <figure> with chart and legend; a note if no series has a point.
std::string line_chart(const LineChart& chart);

// Returns round numbers (steps of 1, 2 or 5 times a power of ten) that enclose low .. high.
std::vector<double> axis_ticks(double low, double high, int about);

}  // namespace avs::report
