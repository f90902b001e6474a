// A matrix [bands, bins] whose rows are zero outside a span of bins; it is applied to many spectra at once.
//
//   y[column, band] = sum_bin weights[band, bin] * x[column, bin]
//
// Four neighbouring bands share one span, so that the product runs over dense tiles of 4 bands x 3 columns: twelve
// accumulators, the maximum for sixteen registers. Mel bands are narrow; gammatone bands have long tails.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "audio/fft.h"

namespace avs::audio {

class FilterBank {
 public:
  static constexpr int64_t kColumnTile = 3;  // apply() needs a multiple of 3 columns

  // Weights below `negligible` times the largest of their row are dropped.
  FilterBank(int64_t bands, int64_t bins, std::span<const double> weights, double negligible);

  int64_t bands() const { return bands_; }
  int64_t bins() const { return bins_; }
  // Floats from one spectrum to the next. Values after the last bin must be finite: they are multiplied by zero.
  int64_t column_stride() const { return stride_; }
  std::vector<float> dense() const;  // [bands, bins]: the weights that apply() uses

  // x: [columns, column_stride], 64-byte aligned; y: [columns, bands]; columns a multiple of kColumnTile.
  void apply(const float* x, int64_t columns, float* y) const;

 private:
  struct Group {  // four bands
    int64_t first_bin, count, offset;
  };
  int64_t bands_, bins_, stride_;
  std::vector<Group> groups_;
  AlignedVector<float> weights_;  // per group [4, count]
};

}  // namespace avs::audio
