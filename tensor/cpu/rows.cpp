#include "tensor/cpu/rows.h"

#include <algorithm>
#include <numeric>

#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

constexpr int64_t kLanes = 16;   // floats in the widest vector register
constexpr int64_t kEnough = 64;  // rows with at least this many channels are not folded
constexpr int64_t kPiece = 64;   // wide rows that are summed in f32 before the sum is added in double
constexpr int64_t kBlockElements = 1 << 16;
constexpr int64_t kMaxBlocks = 64;  // bounds the memory of the partial sums

AVS_SIMD void add_to_double(const float* from, double* to, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) to[i] += static_cast<double>(from[i]);
}

}  // namespace

WideRows wide_rows(int64_t rows, int64_t c) {
  int64_t fold = 1;
  if (c < kEnough) {
    fold = kLanes / std::gcd(c, kLanes);  // a whole number of vectors
    while (fold * c < kEnough) fold *= 2;
  }
  const int64_t width = fold * c, elements = rows * c;
  return {fold, width, elements, (elements + width - 1) / width};
}

WideRows single_rows(int64_t rows, int64_t c) { return {1, c, rows * c, rows}; }

std::vector<float> repeated(const float* values, int64_t c, int64_t fold) {
  std::vector<float> all(static_cast<size_t>(c * fold));
  for (int64_t i = 0; i < fold; ++i) std::copy_n(values, c, all.data() + i * c);
  return all;
}

void for_wide_rows(const WideRows& rows, const std::function<void(int64_t, int64_t)>& kernel) {
  const int64_t grain = std::max<int64_t>(1, (1 << 14) / rows.width);
  parallel_for(rows.count, grain, [&](int64_t first, int64_t last) {
    kernel(first * rows.width, std::min(rows.elements, last * rows.width) - first * rows.width);
  });
}

std::vector<double> sum_over_rows(const WideRows& wide, int64_t c, int quantities, const SumKernel& kernel) {
  const int64_t sums = quantities * wide.width;
  const int64_t blocks = std::clamp<int64_t>(std::min(wide.elements / kBlockElements, wide.count), 1, kMaxBlocks);
  std::vector<double> partial(static_cast<size_t>(blocks * sums));
  parallel_for(blocks, 1, [&](int64_t first_block, int64_t last_block) {
    std::vector<float> piece(static_cast<size_t>(sums));
    for (int64_t b = first_block; b < last_block; ++b) {
      const int64_t end = wide.count * (b + 1) / blocks;
      for (int64_t r = wide.count * b / blocks; r < end; r += kPiece) {
        const int64_t first = r * wide.width;
        std::fill(piece.begin(), piece.end(), 0.0f);
        kernel(first, std::min(wide.elements, std::min(end, r + kPiece) * wide.width) - first, piece.data());
        add_to_double(piece.data(), partial.data() + b * sums, sums);
      }
    }
  });
  std::vector<double> totals(static_cast<size_t>(quantities * c));
  for (int64_t b = 0; b < blocks; ++b)
    for (int64_t q = 0; q < quantities; ++q)
      for (int64_t f = 0; f < wide.fold; ++f) {
        const double* from = partial.data() + b * sums + q * wide.width + f * c;
        double* to = totals.data() + q * c;
        for (int64_t i = 0; i < c; ++i) to[i] += from[i];
      }
  return totals;
}

}  // namespace avs::cpu
