// Sums on the CPU: memory bound, 4 bytes an element.
#include "tensor/ops/reduce.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "tensor/cpu/rows.h"
#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

AVS_SIMD void sum_piece(const float* x, int64_t elements, int64_t width, float* sums) {
  for (int64_t i = 0; i < elements; i += width) {
    const int64_t n = std::min(width, elements - i);
#pragma omp simd
    for (int64_t k = 0; k < n; ++k) sums[k] += x[i + k];
  }
}

AVS_SIMD double squares_of(const float* x, int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

// All exponent bits set: NaN or infinity.
AVS_SIMD bool all_finite(const float* x, int64_t n) {
  uint32_t bad = 0;
#pragma omp simd reduction(| : bad)
  for (int64_t i = 0; i < n; ++i) bad |= (std::bit_cast<uint32_t>(x[i]) & 0x7f800000u) == 0x7f800000u ? 1u : 0u;
  return bad == 0;
}

constexpr int64_t kBlock = 1 << 14;  // fixed, so that the order of a sum does not depend on the thread count

int64_t blocks_of(int64_t n) { return (n + kBlock - 1) / kBlock; }

int64_t first_of(const Tensor& x) {
  const float* from = x.data<float>();
  const int64_t n = x.size(), blocks = blocks_of(n);
  std::vector<uint8_t> finite(static_cast<size_t>(blocks));
  parallel_for(blocks, 4, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; ++b)
      finite[static_cast<size_t>(b)] = all_finite(from + b * kBlock, std::min(kBlock, n - b * kBlock));
  });
  const auto block = std::ranges::find(finite, uint8_t{0});
  if (block == finite.end()) return -1;
  int64_t i = (block - finite.begin()) * kBlock;
  while (all_finite(from + i, 1)) ++i;
  return i;
}

}  // namespace

void sum_rows(const Tensor& x, Tensor& y) {
  const int64_t c = y.size(), rows = x.size() / c;
  const int64_t width = wide_rows(rows, c).width;
  const float* from = x.data<float>();
  const std::vector<double> totals = sum_over_rows(
      rows, c, 1, [=](int64_t first, int64_t n, float* sums) { sum_piece(from + first, n, width, sums); });
  std::ranges::transform(totals, y.data<float>(), [](double v) { return static_cast<float>(v); });
}

void sum_squares(const Tensor& x, Tensor& y) {
  const float* from = x.data<float>();
  const int64_t n = x.size(), blocks = blocks_of(n);
  std::vector<double> partial(static_cast<size_t>(blocks));
  parallel_for(blocks, 4, [&](int64_t first, int64_t last) {
    for (int64_t b = first; b < last; ++b)
      partial[static_cast<size_t>(b)] = squares_of(from + b * kBlock, std::min(kBlock, n - b * kBlock));
  });
  double sum = 0;
  for (const double v : partial) sum += v;
  *y.data<float>() = static_cast<float>(sum);
}

void find_non_finite(const Tensor& x, Tensor& first) {
  const int64_t index = first_of(x);
  first.data<int32_t>()[0] = static_cast<int32_t>(index & 0xffffffff);
  first.data<int32_t>()[1] = static_cast<int32_t>(index >> 32);
}

}  // namespace avs::cpu
