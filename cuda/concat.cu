// Concatenation on CUDA: memory bound, two elements moved per element. Rows are copied as words of 16 bytes if all
// rows, offsets and addresses are multiples of that, else of 8, 4, 2 or 1. One launch copies up to kMaxPieces parts.
#include "cuda/device.cuh"
#include "tensor/ops/concat.h"

namespace avs::cuda {
namespace {

constexpr int kMaxPieces = 8;

// One part's rows: source and destination. Sizes are in bytes on the host, in words inside the kernel.
struct Piece {
  const std::byte* from;
  std::byte* to;
  int64_t width, from_stride, to_stride;
};
struct Pieces {
  Piece at[kMaxPieces];
};

template <typename Word>
__global__ void __launch_bounds__(kBlock) copy_rows_kernel(int64_t rows, Pieces pieces) {
  const Piece& piece = pieces.at[blockIdx.z];
  const auto* const from = reinterpret_cast<const Word*>(piece.from);
  auto* const to = reinterpret_cast<Word*>(piece.to);
  const int64_t word = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (word >= piece.width) return;
  for (int64_t row = int64_t{blockIdx.y} * blockDim.y + threadIdx.y; row < rows; row += int64_t{gridDim.y} * blockDim.y)
    to[row * piece.to_stride + word] = from[row * piece.from_stride + word];
}

template <typename Word>
void copy_words(const char* name, int64_t rows, std::vector<Piece> pieces, Device device) {
  int64_t widest = 1;
  Pieces all = {};
  for (size_t i = 0; i < pieces.size(); ++i) {
    Piece& piece = all.at[i] = pieces[i];
    for (int64_t* const bytes : {&piece.width, &piece.from_stride, &piece.to_stride}) *bytes /= sizeof(Word);
    widest = std::max(widest, piece.width);
  }
  // threads.x is the words of a row, rounded up to a power of two; threads.y covers rows.
  unsigned across = 1;
  while (across < widest && across < kBlock) across *= 2;
  const unsigned down = kBlock / across;
  const int64_t tiles = blocks_for(widest, across), many = int64_t{facts(device).multiprocessors} * 8;
  const int64_t pieces_of_rows = std::min(blocks_for(rows, down), std::max<int64_t>(1, many / tiles));
  launch(name, copy_rows_kernel<Word>,
         {.blocks = dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(pieces_of_rows),
                         static_cast<unsigned>(pieces.size())),
          .threads = dim3(across, down)},
         device, rows, all);
}

void copy_rows(const char* name, int64_t rows, const std::vector<Piece>& pieces, Device device) {
  uint64_t all = 0;  // its trailing zeros give the largest word that divides everything
  for (const Piece& piece : pieces)
    all |= reinterpret_cast<uintptr_t>(piece.from) | reinterpret_cast<uintptr_t>(piece.to) |
           static_cast<uint64_t>(piece.width | piece.from_stride | piece.to_stride);
  if (all % 16 == 0) return copy_words<uint4>(name, rows, pieces, device);
  if (all % 8 == 0) return copy_words<uint2>(name, rows, pieces, device);
  if (all % 4 == 0) return copy_words<uint32_t>(name, rows, pieces, device);
  if (all % 2 == 0) return copy_words<uint16_t>(name, rows, pieces, device);
  copy_words<uint8_t>(name, rows, pieces, device);
}

int64_t row_bytes(const Tensor& x) { return x.shape()[-1] * static_cast<int64_t>(size_of(x.dtype())); }

}  // namespace

void concat(const std::vector<Tensor>& parts, Tensor& y) {
  const int64_t rows = y.shape()[-1] == 0 ? 0 : y.size() / y.shape()[-1];
  auto* to = static_cast<std::byte*>(y.raw());
  std::vector<Piece> pieces;
  for (const Tensor& part : parts) {
    pieces.push_back({static_cast<const std::byte*>(part.raw()), to, row_bytes(part), row_bytes(part), row_bytes(y)});
    to += row_bytes(part);
    if (pieces.size() == kMaxPieces || &part == &parts.back()) {
      copy_rows("concat", rows, pieces, y.device());
      pieces.clear();
    }
  }
}

void slice_channels(const Tensor& x, int64_t first, Tensor& y) {
  const auto* const from = static_cast<const std::byte*>(x.raw()) + first * static_cast<int64_t>(size_of(x.dtype()));
  copy_rows("slice_channels", y.size() / y.shape()[-1],
            {{from, static_cast<std::byte*>(y.raw()), row_bytes(y), row_bytes(x), row_bytes(y)}}, y.device());
}

void write_channels(const Tensor& x, int64_t first, Tensor& y) {
  auto* const to = static_cast<std::byte*>(y.raw()) + first * static_cast<int64_t>(size_of(x.dtype()));
  copy_rows("write_channels", x.size() / x.shape()[-1],
            {{static_cast<const std::byte*>(x.raw()), to, row_bytes(x), row_bytes(x), row_bytes(y)}}, y.device());
}

}  // namespace avs::cuda
