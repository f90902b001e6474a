// Shared by the softmax and the loss: one warp per row.
#pragma once

#include "cuda/device.cuh"

namespace avs::cuda {

// for (int64_t row = first_row(); row < rows; row += row_stride()) for (int64_t k = lane_of_row(); k < c; k += 32)
__device__ inline int64_t first_row() { return first_item() / 32; }
__device__ inline int64_t row_stride() { return item_stride() / 32; }
__device__ inline int lane_of_row() { return static_cast<int>(threadIdx.x) % 32; }
inline Grid over_rows(int64_t rows, Device device) { return over(rows * 32, device); }

struct RowScale {
  float largest, sum;  // max x, and the sum of exp(x - max x)
};

// NaN in a row makes the sum NaN (fmaxf ignores it, the exponential does not). Every lane gets both.
template <typename T>
__device__ inline RowScale row_scale(const T* row, int64_t c) {
  RowScale scale{-INFINITY, 0.0f};
  for (int64_t k = lane_of_row(); k < c; k += 32) scale.largest = fmaxf(scale.largest, to_float(row[k]));
  scale.largest = warp_max(scale.largest);
  for (int64_t k = lane_of_row(); k < c; k += 32) scale.sum += expf(to_float(row[k]) - scale.largest);
  scale.sum = warp_sum(scale.sum);
  return scale;
}

}  // namespace avs::cuda
