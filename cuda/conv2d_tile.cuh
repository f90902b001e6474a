// A matrix product in tiles: out(row, column) = sum over depth of A(row, depth) * B(column, depth). A block computes
// one tile. It walks along the depth in steps and copies each step's part of A and B to shared memory, which has two
// buffers, so that the next step loads while this one is multiplied.
//
// A and B come from a Source: a plain matrix, or the pixels under a convolution's filter, so that the array of an
// im2col is never written. A Source has
//   Element, kPack      vectors of kPack elements are loaded
//   kContiguous         is the vector's direction depth or rows?
//   Row row(r)          the row's part of an address (for B: the column's), divisions included; once per kernel
//   Depth depth(d)      the depth's part of an address
//   advance(depth, by)  increments it cheaply
//   at(row, depth)      the vector's address; null: all zeros (padding, or outside the matrix)
// A Sink stores the results: put(row, column, four neighbours in a row); it checks the last row and column itself.
#pragma once

#include <algorithm>

#include "cuda/device.cuh"
#include "tensor/tensor.h"

namespace avs::cuda {

enum class Contiguous : uint8_t { Depth, Rows };

// ---- plain matrices ----

// rows x depth elements; a row is contiguous, and rows are `stride` elements apart.
template <typename T, int kVector>
struct MatrixByDepth {
  using Element = T;
  static constexpr int kPack = kVector;
  static constexpr Contiguous kContiguous = Contiguous::Depth;
  struct Row {
    const T* begin;
  };
  struct Depth {
    int64_t at;
  };
  const T* data;
  int64_t rows, depths, stride;

  __device__ Row row(int64_t r) const { return {r < rows ? data + r * stride : nullptr}; }
  __device__ Depth depth(int64_t d) const { return {d}; }
  __device__ void advance(Depth& depth, int by) const { depth.at += by; }
  __device__ const T* at(const Row& row, const Depth& depth) const {
    return row.begin != nullptr && depth.at < depths ? row.begin + depth.at : nullptr;
  }
};

// depths x rows elements: for each depth, the rows are adjacent.
template <typename T, int kVector>
struct MatrixByRow {
  using Element = T;
  static constexpr int kPack = kVector;
  static constexpr Contiguous kContiguous = Contiguous::Rows;
  struct Row {
    const T* begin;
  };
  struct Depth {
    int64_t at;
  };
  const T* data;
  int64_t rows, depths, stride;

  __device__ Row row(int64_t r) const { return {r < rows ? data + r : nullptr}; }
  __device__ Depth depth(int64_t d) const { return {d}; }
  __device__ void advance(Depth& depth, int by) const { depth.at += by; }
  __device__ const T* at(const Row& row, const Depth& depth) const {
    return row.begin != nullptr && depth.at < depths ? row.begin + depth.at * stride : nullptr;
  }
};

// ---- from a Source into registers ----

// Loads one thread's part of a kExtent x kDepth tile. Neighbouring threads load neighbouring vectors of a line: a row of
// the tile if kByDepth, else a depth.
template <typename Source, int kExtent, int kDepth, int kThreads>
class TileLoader {
 public:
  using Element = typename Source::Element;
  using Vector = Pack<Element, Source::kPack>;
  static constexpr bool kByDepth = Source::kContiguous == Contiguous::Depth;
  static constexpr int kChunks = (kByDepth ? kDepth : kExtent) / Source::kPack;  // adjacent vectors
  static constexpr int kLines = kByDepth ? kExtent : kDepth;
  static constexpr int kAtOnce = kThreads / kChunks;
  static constexpr int kPasses = (kLines + kAtOnce - 1) / kAtOnce;
  static_assert(kThreads % kChunks == 0 && (kPasses == 1 || kLines % kAtOnce == 0));

  __device__ TileLoader(const Source& source, int64_t first_row, int64_t first_depth)
      : chunk_(static_cast<int>(threadIdx.x) % kChunks * Source::kPack),
        line_(static_cast<int>(threadIdx.x) / kChunks),
        depth_(source.depth(first_depth + (kByDepth ? chunk_ : line_))) {
#pragma unroll
    for (int i = 0; i < kRowsHeld; ++i) rows_[i] = source.row(first_row + (kByDepth ? line_ + i * kAtOnce : chunk_));
  }

  __device__ void fetch(const Source& source) {
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const Element* const from = is_mine(pass) ? source.at(rows_[kByDepth ? pass : 0], depth_) : nullptr;
      held_[pass] = from == nullptr ? Vector{} : load_pack<Source::kPack>(from);
      if (!kByDepth) source.advance(depth_, kPasses == 1 ? kDepth : kAtOnce);
    }
    if (kByDepth) source.advance(depth_, kDepth);
  }

  // put(row, depth, vector): row and depth of the vector's first element within the tile.
  template <typename Put>
  __device__ void each(Put put) const {
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const int line = line_ + pass * kAtOnce;
      if (is_mine(pass)) put(kByDepth ? line : chunk_, kByDepth ? chunk_ : line, held_[pass]);
    }
  }

 private:
  static constexpr int kRowsHeld = kByDepth ? kPasses : 1;
  // If there are more threads than vectors, the last threads load nothing.
  __device__ bool is_mine(int pass) const {
    return kPasses > 1 || kAtOnce <= kLines || line_ + pass * kAtOnce < kLines;
  }

  int chunk_, line_;
  typename Source::Depth depth_;
  typename Source::Row rows_[kRowsHeld];
  Vector held_[kPasses];
};

// ---- a tile on CUDA cores (on tensor cores: conv2d_wmma.cuh) ----

// Each thread keeps kDown x kRight sums in registers: per step of depth it reads kDown + kRight numbers from shared
// memory for kDown * kRight multiplications. Its rows form groups of four, so that reads are 16 bytes wide and
// neighbouring threads read neighbouring banks.
template <int kTileRows, int kTileColumns, int kDown, int kRight>
struct FmaTile {
  static constexpr int kRows = kTileRows, kColumns = kTileColumns, kDepth = 16;
  static constexpr bool kIsCompiled = true;  // compiled for this GPU architecture
  static constexpr int kAcross = kColumns / kRight, kThreads = kRows / kDown * kAcross;
  static constexpr int kFewBlocks = kDown * kRight < 64 ? 512 / kThreads : 0;  // on sm_120: 128 registers a thread
  static constexpr int kRowGroups = kDown / 4, kColumnGroups = kRight / 4;
  // Modelled cost of a multiplication: itself and its part of the reads from shared memory.
  static constexpr double kCost = 1.0 + 2.0 * (kDown + kRight) / (kDown * kRight);
  struct Sums {
    float at[kDown][kRight];
  };
  struct Buffer {  // + 4 puts columns of the transposed stores into different banks; rows stay 16-byte aligned
    float a[kDepth][kRows + 4], b[kDepth][kColumns + 4];
  };
  static constexpr size_t kSharedBytes = 2 * sizeof(Buffer);

  static __device__ void clear(Sums& sums) { sums = Sums{}; }

  template <int kWidth, typename Loader>
  static __device__ void put(const Loader& loader, float (*to)[kWidth]) {
    loader.each([&](int row, int depth, const auto& vector) {
      constexpr int kPack = sizeof(vector.at) / sizeof(vector.at[0]);
      if constexpr (Loader::kByDepth || kPack % 4 != 0) {
#pragma unroll
        for (int v = 0; v < kPack; ++v)
          to[depth + (Loader::kByDepth ? v : 0)][row + (Loader::kByDepth ? 0 : v)] = to_float(vector.at[v]);
      } else {
#pragma unroll
        for (int v = 0; v < kPack; v += 4)
          store_pack<4>(&to[depth][row + v], Pack<float, 4>{{to_float(vector.at[v]), to_float(vector.at[v + 1]),
                                                             to_float(vector.at[v + 2]), to_float(vector.at[v + 3])}});
      }
    });
  }

  static __device__ void multiply_buffer(const Buffer& buffer, Sums& sums) {
    const int down = static_cast<int>(threadIdx.x) / kAcross * 4, across = static_cast<int>(threadIdx.x) % kAcross * 4;
#pragma unroll
    for (int d = 0; d < kDepth; ++d) {
      Pack<float, 4> a[kRowGroups], b[kColumnGroups];
#pragma unroll
      for (int g = 0; g < kRowGroups; ++g) a[g] = load_pack<4>(&buffer.a[d][down + g * (kRows / kRowGroups)]);
#pragma unroll
      for (int g = 0; g < kColumnGroups; ++g)
        b[g] = load_pack<4>(&buffer.b[d][across + g * (kColumns / kColumnGroups)]);
#pragma unroll
      for (int i = 0; i < kDown; ++i)
#pragma unroll
        for (int j = 0; j < kRight; ++j) sums.at[i][j] += a[i / 4].at[i % 4] * b[j / 4].at[j % 4];
    }
  }

  template <typename A, typename B>
  static __device__ void multiply(const A& a, const B& b, int64_t row, int64_t column, int64_t first_step,
                                  int64_t steps, Sums& sums) {
    if (steps <= 0) return;
    Buffer* const buffers = dynamic_shared<Buffer>();
    TileLoader<A, kRows, kDepth, kThreads> load_a(a, row, first_step * kDepth);
    TileLoader<B, kColumns, kDepth, kThreads> load_b(b, column, first_step * kDepth);
    load_a.fetch(a);
    load_b.fetch(b);
    put(load_a, buffers[0].a);
    put(load_b, buffers[0].b);
    __syncthreads();
    for (int64_t step = 0; step < steps; ++step) {
      const bool more = step + 1 < steps;
      if (more) {
        load_a.fetch(a);
        load_b.fetch(b);
      }
      multiply_buffer(buffers[step % 2], sums);
      if (more) {  // the last read of the other buffer was before the previous step's barrier
        put(load_a, buffers[(step + 1) % 2].a);
        put(load_b, buffers[(step + 1) % 2].b);
      }
      __syncthreads();
    }
  }

  // Calls put(row, column, four adjacent sums), positions within the tile.
  template <typename Put>
  static __device__ void each(const Sums& sums, Put put) {
    const int down = static_cast<int>(threadIdx.x) / kAcross * 4, across = static_cast<int>(threadIdx.x) % kAcross * 4;
#pragma unroll
    for (int i = 0; i < kDown; ++i)
#pragma unroll
      for (int g = 0; g < kColumnGroups; ++g) {
        const float* const four = &sums.at[i][4 * g];
        put(down + i / 4 * (kRows / kRowGroups) + i % 4, across + g * (kColumns / kColumnGroups),
            Pack<float, 4>{{four[0], four[1], four[2], four[3]}});
      }
  }
};

// ---- the product ----

// The cut of a product. If there are too few tiles to fill the device, or the depth is much longer than the result is
// large (a filter gradient sums over all pixels), blocks share a tile's depth: their sums go to `partial`,
// [splits][rows][columns rounded up to 4], and a second kernel adds them in order.
struct Cut {
  int64_t rows, columns, steps;      // steps of kDepth each
  int64_t tiles_across, steps_each;  // steps of one split
  float* partial;                    // null: one split
  __host__ __device__ int64_t columns_kept() const { return (columns + 3) / 4 * 4; }
};

template <typename Tile, typename A, typename B, typename Sink>
__global__ void __launch_bounds__(Tile::kThreads, on_sm_120(Tile::kFewBlocks))
    conv2d_product_kernel(A a, B b, Sink sink, Cut cut) {
  if constexpr (Tile::kIsCompiled) {
    note_dynamic_shared<static_cast<int>(Tile::kSharedBytes)>();
    // Neighbouring blocks share rows of A: A holds the pixels, which outnumber the filter's elements.
    const int64_t first_row = blockIdx.x / cut.tiles_across * Tile::kRows;
    const int64_t first_column = blockIdx.x % cut.tiles_across * Tile::kColumns;
    const int64_t first_step = blockIdx.y * cut.steps_each;
    const int64_t left = cut.steps - first_step;
    typename Tile::Sums sums;
    Tile::clear(sums);
    Tile::multiply(a, b, first_row, first_column, first_step, left < cut.steps_each ? left : cut.steps_each, sums);
    Tile::each(sums, [&](int down, int across, const Pack<float, 4>& four) {
      const int64_t row = first_row + down, column = first_column + across;
      if (row >= cut.rows || column >= cut.columns) return;
      if (cut.partial == nullptr) return sink.put(row, column, four);
      store_pack<4>(cut.partial + (blockIdx.y * cut.rows + row) * cut.columns_kept() + column, four);
    });
  }
}

template <typename Sink>
__global__ void conv2d_add_kernel(Sink sink, Cut cut, int64_t splits) {
  const int64_t quads = cut.columns_kept() / 4, size = cut.rows * cut.columns_kept();
  for (int64_t i = first_item(); i < cut.rows * quads; i += item_stride()) {
    Pack<float, 4> sum{};
    for (int64_t split = 0; split < splits; ++split) {
      const auto part = load_pack<4>(cut.partial + split * size + 4 * i);
#pragma unroll
      for (int v = 0; v < 4; ++v) sum.at[v] += part.at[v];
    }
    sink.put(i / quads, i % quads * 4, sum);
  }
}

// The number of blocks that share the depth: enough to fill the device, but at least eight steps each and at most 64 MB
// of partial sums.
int64_t splits_for(int64_t tiles, int64_t steps, int64_t result_bytes, int threads, Device device);

// Calls body.template operator()<Tile>() with the tile that wastes the least on this result, counting multiplications
// of padding.
template <typename... Tiles, typename Body>
void for_cheapest_tile(int64_t rows, int64_t columns, Body&& body) {
  const double costs[] = {Tiles::kCost * static_cast<double>(blocks_for(rows, Tiles::kRows) * Tiles::kRows) *
                          static_cast<double>(blocks_for(columns, Tiles::kColumns) * Tiles::kColumns)...};
  const auto best = std::min_element(std::begin(costs), std::end(costs)) - std::begin(costs);
  int i = 0;
  ((i++ == best ? body.template operator()<Tiles>() : void()), ...);
}

template <typename Tile, typename A, typename B, typename Sink>
void product(const char* name, const A& a, const B& b, const Sink& sink, int64_t rows, int64_t columns, int64_t depth,
             Device device) {
  if (rows == 0 || columns == 0) return;
  Cut cut{rows, columns, blocks_for(depth, Tile::kDepth), blocks_for(columns, Tile::kColumns), 0, nullptr};
  const int64_t tiles = blocks_for(rows, Tile::kRows) * cut.tiles_across;
  const int64_t result_bytes = rows * cut.columns_kept() * static_cast<int64_t>(sizeof(float));
  cut.steps_each = blocks_for(cut.steps, splits_for(tiles, cut.steps, result_bytes, Tile::kThreads, device));
  const int64_t splits = cut.steps_each == 0 ? 1 : blocks_for(cut.steps, cut.steps_each);
  Tensor partial;
  if (splits > 1) {
    partial = Tensor::empty({splits, rows, cut.columns_kept()}, DType::F32, device);
    cut.partial = partial.data<float>();
  }
  const Grid grid{.blocks = dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(splits)),
                  .threads = dim3(Tile::kThreads),
                  .shared_bytes = Tile::kSharedBytes};
  launch(name, conv2d_product_kernel<Tile, A, B, Sink>, grid, device, a, b, sink, cut);
  if (splits > 1)
    launch("conv2d_add_kernel", conv2d_add_kernel<Sink>, over(rows * cut.columns_kept() / 4, device), device, sink, cut,
           splits);
}

}  // namespace avs::cuda
