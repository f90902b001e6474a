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
  std::vector<std::pair<double, double>> points;  // x, y; those that are not finite are left out
};

struct LineChart {
  enum class Numbers : uint8_t { Plain, Percent };  // Percent: 0.5 is written "50 %"
  std::string title, x_label;
  std::vector<Series> series;                    // at most eight have colours of their own
  std::optional<double> y_min = {}, y_max = {};  // absent: as the points say
  Numbers y_numbers = Numbers::Plain;
};

// A <figure> with the chart and its legend; a sentence when no series has a point.
std::string line_chart(const LineChart& chart);

// Round numbers (1, 2 or 5 times a power of ten apart) from the last at or below `low` to the first at or above `high`.
std::vector<double> axis_ticks(double low, double high, int about);

}  // namespace avs::report
