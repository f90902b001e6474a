#include "tensor/cpu/resize_box.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "tensor/error.h"

namespace avs::cpu {
namespace {

struct Taps {  // one output pixel is a weighted sum of neighbouring input pixels
  int64_t first;
  std::vector<float> weights;
};

std::vector<Taps> taps_of(double begin, double length, int64_t in_size, int64_t out_size) {
  const double scale = length / static_cast<double>(out_size), reach = std::max(1.0, scale);
  const double low = std::floor(begin), high = std::ceil(begin + length);
  std::vector<Taps> all(static_cast<size_t>(out_size));
  for (int64_t i = 0; i < out_size; ++i) {
    const double centre = begin + (static_cast<double>(i) + 0.5) * scale;
    const auto first = static_cast<int64_t>(std::max({0.0, low, std::floor(centre - reach + 0.5)}));
    const auto last =
        static_cast<int64_t>(std::min({static_cast<double>(in_size), high, std::floor(centre + reach + 0.5)}));
    Taps& taps = all[static_cast<size_t>(i)];
    taps.first = first;
    double sum = 0;
    std::vector<double> weights;
    for (int64_t j = first; j < last; ++j) {
      weights.push_back(std::max(0.0, 1 - std::abs((static_cast<double>(j) + 0.5 - centre) / reach)));
      sum += weights.back();
    }
    for (const double weight : weights) taps.weights.push_back(static_cast<float>(weight / sum));
  }
  return all;
}

// Resizes one row.
template <int64_t kChannels>
void resize_row(const uint8_t* from, const std::vector<Taps>& across, int64_t stride, float* to, int64_t to_stride) {
  for (const Taps& taps : across) {
    float sums[kChannels] = {};
    const uint8_t* p = from + taps.first * stride;
    for (const float weight : taps.weights) {
      for (int64_t k = 0; k < kChannels; ++k) sums[k] += weight * static_cast<float>(p[k]);
      p += stride;
    }
    std::copy_n(sums, kChannels, to);
    to += to_stride;
  }
}

}  // namespace

void check_box(PictureSize in, const PictureBox& box) {
  AVS_CHECK(ShapeError,
            box.width > 0 && box.height > 0 && box.left >= 0 && box.top >= 0 &&
                box.left + box.width <= static_cast<float>(in.width) &&
                box.top + box.height <= static_cast<float>(in.height),
            "load_pictures: the box leaves the picture: from (", box.left, ", ", box.top, "), ", box.width, " x ",
            box.height, ", of ", in.width, " x ", in.height, " pixels");
}

void resize_box(const uint8_t* in, PictureSize in_size, int64_t c, const PictureBox& box, PictureSize out_size,
                float* out) {
  std::vector<Taps> across = taps_of(box.left, box.width, in_size.width, out_size.width);
  if (box.mirrored != 0) std::ranges::reverse(across);
  const std::vector<Taps> down = taps_of(box.top, box.height, in_size.height, out_size.height);

  // Resize along rows first, only those that some output pixel needs.
  const int64_t first_row = down.front().first;
  int64_t end_row = first_row;
  for (const Taps& taps : down) end_row = std::max(end_row, taps.first + static_cast<int64_t>(taps.weights.size()));
  const int64_t row_values = out_size.width * c;
  std::vector<float> rows(static_cast<size_t>((end_row - first_row) * row_values));
  for (int64_t y = first_row; y < end_row; ++y) {
    const uint8_t* const from = in + y * in_size.width * c;
    float* const to = rows.data() + (y - first_row) * row_values;
    if (c == 3) {
      resize_row<3>(from, across, 3, to, 3);
    } else {
      for (int64_t k = 0; k < c; ++k) resize_row<1>(from + k, across, c, to + k, c);
    }
  }
  for (int64_t y = 0; y < out_size.height; ++y) {
    const Taps& taps = down[static_cast<size_t>(y)];
    float* to = out + y * row_values;
    std::fill_n(to, row_values, 0.0f);
    for (size_t j = 0; j < taps.weights.size(); ++j) {
      const float* from = rows.data() + (taps.first + static_cast<int64_t>(j) - first_row) * row_values;
      const float weight = taps.weights[j];
      for (int64_t i = 0; i < row_values; ++i) to[i] += weight * from[i];
    }
  }
}

}  // namespace avs::cpu
