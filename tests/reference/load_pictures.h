#pragma once

#include <algorithm>
#include <cmath>

#include "tests/reference/mixup.h"

namespace avs::reference {

// Resizes a box (left, top, width, height, mirrored) of a picture [h, w, c] to [out_h, out_w, c]: a pixel of the box
// has the weight 1 - distance / reach from the output pixel's centre, and weights are divided by their sum.
inline Vector resize_box(const Vector& picture, int64_t h, int64_t w, int64_t c, const Vector& box, int64_t out_h,
                         int64_t out_w) {
  const auto weights = [](double begin, double length, int64_t extent, int64_t count, int64_t index) {
    const double scale = length / static_cast<double>(count), reach = std::max(1.0, scale);
    const double centre = begin + (static_cast<double>(index) + 0.5) * scale;
    Vector all;
    double sum = 0;
    for (int64_t j = 0; j < extent; ++j) {
      const auto left = static_cast<double>(j);
      const bool in_box = left + 1 > begin && left < begin + length;
      all.push_back(in_box ? std::max(0.0, 1 - std::abs(left + 0.5 - centre) / reach) : 0);
      sum += all.back();
    }
    for (double& weight : all) weight /= sum;
    return all;
  };
  Vector y;
  for (int64_t p = 0; p < out_h; ++p)
    for (int64_t q = 0; q < out_w; ++q) {
      const Vector down = weights(box[1], box[3], h, out_h, p);
      const Vector across = weights(box[0], box[2], w, out_w, box[4] != 0 ? out_w - 1 - q : q);
      for (int64_t k = 0; k < c; ++k) {
        double sum = 0;
        for (int64_t j = 0; j < h; ++j)
          for (int64_t i = 0; i < w; ++i)
            sum += down[static_cast<size_t>(j)] * across[static_cast<size_t>(i)] *
                   picture[static_cast<size_t>((j * w + i) * c + k)];
        y.push_back(sum);
      }
    }
  return y;
}

}  // namespace avs::reference
