// Concatenation on the CPU: memory bound, 8 bytes an element. Wide parts are copied row by row, in the order in which y
// is written. Narrow networks have rows of 8 to 64 bytes, for which calling memcpy costs more than the copy: such a
// part is copied by a loop whose row length is known at compile time.
#include "tensor/ops/concat.h"

#include <algorithm>
#include <cstring>

#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

struct Piece {
  const std::byte* from;
  size_t bytes;  // bytes in a row
};

int64_t rows_of(const Tensor& x) { return x.shape()[-1] == 0 ? 0 : x.size() / x.shape()[-1]; }
size_t row_bytes(const Tensor& x) { return static_cast<size_t>(x.shape()[-1]) * size_of(x.dtype()); }

template <size_t kBytes>
void copy_short_rows(const std::byte* from, size_t from_stride, std::byte* to, size_t to_stride, int64_t rows) {
  for (int64_t r = 0; r < rows; ++r, from += from_stride, to += to_stride) std::memcpy(to, from, kBytes);
}

using CopyShortRows = void (*)(const std::byte*, size_t, std::byte*, size_t, int64_t);

// Returns null if rows are long or have a length that no network uses.
CopyShortRows short_rows(size_t bytes) {
  switch (bytes) {
    case 4: return copy_short_rows<4>;
    case 8: return copy_short_rows<8>;
    case 16: return copy_short_rows<16>;
    case 32: return copy_short_rows<32>;
    case 64: return copy_short_rows<64>;
    default: return nullptr;
  }
}

// Copies the first `row` bytes of each row.
void copy_rows(const std::byte* from, size_t from_stride, std::byte* to, size_t to_stride, size_t row, int64_t rows) {
  const CopyShortRows copy_short = short_rows(row);
  const auto grain = static_cast<int64_t>(1 + (size_t{1} << 16) / row);
  parallel_for(rows, grain, [=](int64_t first, int64_t last) {
    const std::byte* const begin = from + static_cast<size_t>(first) * from_stride;
    std::byte* const out = to + static_cast<size_t>(first) * to_stride;
    if (copy_short != nullptr) return copy_short(begin, from_stride, out, to_stride, last - first);
    for (int64_t r = 0; r < last - first; ++r)
      std::memcpy(out + static_cast<size_t>(r) * to_stride, begin + static_cast<size_t>(r) * from_stride, row);
  });
}

}  // namespace

void concat(const std::vector<Tensor>& parts, Tensor& y) {
  std::vector<Piece> pieces;
  bool all_short = true;
  for (const Tensor& part : parts) {
    pieces.push_back({static_cast<const std::byte*>(part.raw()), row_bytes(part)});
    all_short = all_short && row_bytes(part) <= 32 && short_rows(row_bytes(part)) != nullptr;
  }
  auto* const to = static_cast<std::byte*>(y.raw());
  const size_t row = row_bytes(y);
  const auto grain = static_cast<int64_t>(1 + (size_t{1} << 16) / std::max<size_t>(row, 1));
  parallel_for(rows_of(y), grain, [&](int64_t first, int64_t last) {
    // Blocks of rows: while y's block is in the L1 cache, every part is copied into it.
    const int64_t block = all_short ? static_cast<int64_t>(1 + (size_t{1} << 13) / row) : 1;
    for (int64_t r = first; r < last; r += block) {
      std::byte* out = to + static_cast<size_t>(r) * row;
      const int64_t rows = std::min(block, last - r);
      for (const Piece& piece : pieces) {
        const std::byte* const from = piece.from + static_cast<size_t>(r) * piece.bytes;
        if (all_short)
          short_rows(piece.bytes)(from, piece.bytes, out, row, rows);
        else
          std::memcpy(out, from, piece.bytes);
        out += piece.bytes;
      }
    }
  });
}

void slice_channels(const Tensor& x, int64_t first, Tensor& y) {
  const size_t skipped = static_cast<size_t>(first) * size_of(x.dtype());
  copy_rows(static_cast<const std::byte*>(x.raw()) + skipped, row_bytes(x), static_cast<std::byte*>(y.raw()),
            row_bytes(y), row_bytes(y), rows_of(y));
}

void write_channels(const Tensor& x, int64_t first, Tensor& y) {
  const size_t skipped = static_cast<size_t>(first) * size_of(x.dtype());
  copy_rows(static_cast<const std::byte*>(x.raw()), row_bytes(x), static_cast<std::byte*>(y.raw()) + skipped,
            row_bytes(y), row_bytes(x), rows_of(x));
}

}  // namespace avs::cpu
