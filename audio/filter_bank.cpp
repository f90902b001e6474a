#include "audio/filter_bank.h"

#include <algorithm>

#include "tensor/error.h"
#include "tensor/parallel.h"

namespace avs::audio {
namespace {

constexpr int64_t kBandTile = 4, kLanes = 8;

int64_t round_up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

float sum_of(const float* lanes) {
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) + ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

// sums[band][column] += weights [4, count] * x [3, stride]; count is a multiple of eight.
AVS_SIMD void tile(const float* weights, const float* x, int64_t stride, int64_t count, float* sums) {
  Vec8 total[kBandTile][FilterBank::kColumnTile] = {};
  for (int64_t k = 0; k < count; k += kLanes) {
    const Vec8 x0 = *reinterpret_cast<const Vec8*>(x + k);
    const Vec8 x1 = *reinterpret_cast<const Vec8*>(x + stride + k);
    const Vec8 x2 = *reinterpret_cast<const Vec8*>(x + 2 * stride + k);
#pragma GCC unroll 4
    for (int64_t band = 0; band < kBandTile; ++band) {
      const Vec8 w = *reinterpret_cast<const Vec8*>(weights + band * count + k);
      total[band][0] += w * x0;
      total[band][1] += w * x1;
      total[band][2] += w * x2;
    }
  }
  for (int64_t i = 0; i < kBandTile * FilterBank::kColumnTile; ++i)
    sums[i] = sum_of(reinterpret_cast<const float*>(&total[0][0] + i));
}

}  // namespace

FilterBank::FilterBank(int64_t bands, int64_t bins, std::span<const double> weights, double negligible)
    : bands_(bands), bins_(bins), stride_(round_up(bins, kLanes)) {
  AVS_CHECK(ShapeError, static_cast<int64_t>(weights.size()) == bands * bins && bands % kBandTile == 0,
            "filter bank: ", bands, " bands (a multiple of ", kBandTile, ") of ", bins, " bins, but ", weights.size(),
            " weights");
  for (int64_t band = 0; band < bands; band += kBandTile) {
    int64_t first = bins, last = 0;
    for (int64_t row = band; row < band + kBandTile; ++row) {
      const auto w = weights.subspan(static_cast<size_t>(row * bins), static_cast<size_t>(bins));
      const double threshold = negligible * *std::max_element(w.begin(), w.end());
      for (int64_t k = 0; k < bins; ++k)
        if (w[static_cast<size_t>(k)] > threshold) {
          first = std::min(first, k);
          last = std::max(last, k + 1);
        }
    }
    first = std::min(first, last) / kLanes * kLanes;  // whole vectors, so that loads are aligned
    const Group group = {first, round_up(last - first, kLanes), static_cast<int64_t>(weights_.size())};
    for (int64_t row = band; row < band + kBandTile; ++row)
      for (int64_t k = first; k < first + group.count; ++k)
        weights_.push_back(k < bins ? static_cast<float>(weights[static_cast<size_t>(row * bins + k)]) : 0.0f);
    groups_.push_back(group);
  }
}

std::vector<float> FilterBank::dense() const {
  std::vector<float> matrix(static_cast<size_t>(bands_ * bins_));
  for (size_t g = 0; g < groups_.size(); ++g)
    for (int64_t row = 0; row < kBandTile; ++row)
      for (int64_t k = 0; k < std::min(groups_[g].count, bins_ - groups_[g].first_bin); ++k)
        matrix[static_cast<size_t>((static_cast<int64_t>(g) * kBandTile + row) * bins_ + groups_[g].first_bin + k)] =
            weights_[static_cast<size_t>(groups_[g].offset + row * groups_[g].count + k)];
  return matrix;
}

void FilterBank::apply(const float* x, int64_t columns, float* y) const {
  AVS_CHECK(ShapeError, columns % kColumnTile == 0, "filter bank: ", columns, " columns are no multiple of ",
            kColumnTile);
  float sums[kBandTile][kColumnTile];
  for (size_t g = 0; g < groups_.size(); ++g)
    for (int64_t column = 0; column < columns; column += kColumnTile) {
      tile(weights_.data() + groups_[g].offset, x + column * stride_ + groups_[g].first_bin, stride_, groups_[g].count,
           &sums[0][0]);
      for (int64_t band = 0; band < kBandTile; ++band)
        for (int64_t c = 0; c < kColumnTile; ++c)
          y[(column + c) * bands_ + static_cast<int64_t>(g) * kBandTile + band] = sums[band][c];
    }
}

}  // namespace avs::audio
