// Loops over [rows, c] tensors, c contiguous, and sums over their rows.
//
// Networks have from 6 to 2048 channels. On a short channel axis a vector loop spends most of its time on its
// remainder, so narrow rows are taken several at a time: `fold` adjacent rows form one wide row of width fold * c, and
// per-channel values are repeated `fold` times. Kernels only see (pointer, elements, width).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace avs::cpu {

struct WideRows {
  int64_t fold, width;  // width = fold * c
  int64_t elements;     // rows * c; the last wide row may be shorter
  int64_t count;        // number of wide rows
};
WideRows wide_rows(int64_t rows, int64_t c);
WideRows single_rows(int64_t rows, int64_t c);  // fold 1: for rows that are not adjacent in memory

// Returns values[c], repeated `fold` times.
std::vector<float> repeated(const float* values, int64_t c, int64_t fold);

// Calls kernel(first_element, elements) on pieces that begin at a wide row.
void for_wide_rows(const WideRows& rows, const std::function<void(int64_t first, int64_t elements)>& kernel);

// Returns `quantities` sums over all rows for each channel, [quantities * c]. kernel(first, elements, sums) adds its
// piece to f32 sums[quantities * width]. Pieces are short (64 wide rows) and added in double, in an order that depends
// on the shape alone: the thread count changes no bit, and accuracy does not fall with the number of rows.
using SumKernel = std::function<void(int64_t first, int64_t elements, float* sums)>;
std::vector<double> sum_over_rows(const WideRows& rows, int64_t c, int quantities, const SumKernel& kernel);
inline std::vector<double> sum_over_rows(int64_t rows, int64_t c, int quantities, const SumKernel& kernel) {
  return sum_over_rows(wide_rows(rows, c), c, quantities, kernel);
}

}  // namespace avs::cpu
