// Loops over [rows, c] tensors, c contiguous, and sums over their rows.
//
// Networks have anything from 6 to 2048 channels. Vector loops over a short channel axis waste most of their time on
// their ends, so narrow rows are taken several at a time: `fold` rows side by side are one row of width fold * c,
// against per-channel values repeated `fold` times. Kernels see (pointer, elements, width) and need not know.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace avs::cpu {

struct WideRows {
  int64_t fold, width;  // width = fold * c
  int64_t elements;     // rows * c; the last wide row may be cut short
  int64_t count;        // of wide rows
};
WideRows wide_rows(int64_t rows, int64_t c);
WideRows single_rows(int64_t rows, int64_t c);  // fold 1: for rows that do not follow each other

// values[c] written `fold` times.
std::vector<float> repeated(const float* values, int64_t c, int64_t fold);

// kernel(first_element, elements) over pieces that start at a wide row.
void for_wide_rows(const WideRows& rows, const std::function<void(int64_t first, int64_t elements)>& kernel);

// `quantities` sums over all rows for each channel, into totals[quantities * c]. kernel(first, elements, sums) adds its
// piece to f32 sums[quantities * width]; pieces are short (64 wide rows) and combined in double, in an order that
// depends on the shape alone: neither accuracy nor bits depend on the number of rows or threads.
using SumKernel = std::function<void(int64_t first, int64_t elements, float* sums)>;
std::vector<double> sum_over_rows(const WideRows& rows, int64_t c, int quantities, const SumKernel& kernel);
inline std::vector<double> sum_over_rows(int64_t rows, int64_t c, int quantities, const SumKernel& kernel) {
  return sum_over_rows(wide_rows(rows, c), c, quantities, kernel);
}

}  // namespace avs::cpu
