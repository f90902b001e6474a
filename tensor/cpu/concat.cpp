// Concatenation on the CPU: memory bound, 8 bytes an element. A row of a part is some cache lines, so the parts' rows
// are copied in the order in which y is written.
#include "tensor/ops/concat.h"

#include <algorithm>
#include <cstring>

#include "tensor/parallel.h"

namespace avs::cpu {
namespace {

struct Piece {
  const std::byte* from;
  size_t bytes;  // of one row
};

int64_t rows_of(const Tensor& x) { return x.shape()[-1] == 0 ? 0 : x.size() / x.shape()[-1]; }
size_t row_bytes(const Tensor& x) { return static_cast<size_t>(x.shape()[-1]) * size_of(x.dtype()); }

}  // namespace

void concat(const std::vector<Tensor>& parts, Tensor& y) {
  std::vector<Piece> pieces;
  for (const Tensor& part : parts) pieces.push_back({static_cast<const std::byte*>(part.raw()), row_bytes(part)});
  auto* const to = static_cast<std::byte*>(y.raw());
  const size_t row = row_bytes(y);
  const auto grain = static_cast<int64_t>(1 + (size_t{1} << 16) / std::max<size_t>(row, 1));
  parallel_for(rows_of(y), grain, [&](int64_t first, int64_t last) {
    std::byte* out = to + static_cast<size_t>(first) * row;
    for (int64_t r = first; r < last; ++r)
      for (const Piece& piece : pieces) {
        std::memcpy(out, piece.from + static_cast<size_t>(r) * piece.bytes, piece.bytes);
        out += piece.bytes;
      }
  });
}

void slice_channels(const Tensor& x, int64_t first_channel, Tensor& y) {
  const auto* const from =
      static_cast<const std::byte*>(x.raw()) + static_cast<size_t>(first_channel) * size_of(x.dtype());
  auto* const to = static_cast<std::byte*>(y.raw());
  const size_t stride = row_bytes(x), row = row_bytes(y);
  const auto grain = static_cast<int64_t>(1 + (size_t{1} << 16) / row);
  parallel_for(rows_of(y), grain, [=](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      std::memcpy(to + static_cast<size_t>(r) * row, from + static_cast<size_t>(r) * stride, row);
  });
}

}  // namespace avs::cpu
