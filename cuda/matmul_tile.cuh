// Shared by the two matrix product kernels: loading a tile of an operand from global memory, and storing sums to C.
// Both operands are `lines` (rows of op(A), columns of op(B)) by `depth` (k); they differ only in which of the two is
// contiguous in memory.
#pragma once

#include "cuda/device.cuh"
#include "cuda/matmul.h"

namespace avs::cuda {

enum class Along : uint8_t { Depth, Lines };  // the direction in which memory is contiguous

template <typename T>
struct Operand {
  const T* data;
  int64_t lines;
  int64_t stride;  // elements from one row of memory to the next: depth or lines
  // elements from one tile to the next in depth; a kernel parameter, because computing it would need registers
  int64_t step;
  bool vector;  // whole packs can be loaded: the contiguous extent and the address are multiples of a pack
};

// The destination of the sums. c and pre point to T or, if narrow is false, to floats.
struct Output {
  void* c;
  void* pre;          // may be null
  const float* bias;  // may be null
  int64_t m, n;
  Activation activation;
  bool narrow;  // store the inputs' 16-bit type
  bool vector;  // four neighbours in a row can be stored at once
};

template <typename T>
struct Product {
  Operand<T> a, b;
  Output out;
  int64_t depth;
  int depth_per_split;  // a multiple of every tile's depth; blockIdx.y is the part of k
  unsigned tiles_b;  // tiles across C; blockIdx.x counts tiles in row-major order, so that neighbours share lines of A
};

// ---- from global memory ----

// One thread's part of a tile of kLines x kDepth, kept in registers while the previous tile is multiplied: one column
// of packs, every kStep rows.
template <typename T, Along along, int kLines, int kDepth, int kThreads, int kWide>
struct Share {
  static constexpr int kRows = along == Along::Depth ? kLines : kDepth;  // rows of the tile in memory order
  static constexpr int kPacksPerRow = (along == Along::Depth ? kDepth : kLines) / kWide;
  static constexpr int kStep = kThreads / kPacksPerRow, kPacks = kRows / kStep;
  static_assert(kPacks * kStep == kRows && kStep * kPacksPerRow == kThreads, "every thread carries the same");

  Pack<T, kWide> packs[kPacks];
  const T* at;  // this thread's first element of the next tile
  int lines;    // from this thread's first line to the matrix' last; lines past that read as zero

  __device__ static int row() { return static_cast<int>(threadIdx.x / kPacksPerRow); }  // the first pack's row
  __device__ static int column() { return static_cast<int>(threadIdx.x % kPacksPerRow * kWide); }

  __device__ Share(const Operand<T>& from, int64_t line, int64_t depth)
      : at(from.data + (along == Along::Depth ? line * from.stride + depth : depth * from.stride + line) +
           row() * from.stride + column()),
        lines(static_cast<int>(min(from.lines - line, int64_t{kLines})) - (along == Along::Depth ? row() : column())) {}

  // Loads the next tile; `left` is the remaining depth, and elements past it read as zero.
  __device__ void load(const Operand<T>& from, int left) {
    const int rows = along == Along::Depth ? lines : left - row();
    const int columns = along == Along::Depth ? left - column() : lines;
#pragma unroll
    for (int i = 0; i < kPacks; ++i) {
      packs[i] = Pack<T, kWide>{};
      if (i * kStep >= rows || columns <= 0) continue;
      const T* const pack = at + i * kStep * from.stride;
      if (from.vector) {
        packs[i] = load_pack<kWide>(pack);
      } else {
#pragma unroll
        for (int j = 0; j < kWide; ++j)
          if (j < columns) packs[i].at[j] = pack[j];
      }
    }
    at += from.step;
  }
};

// The part of the product that a block computes.
struct Part {
  unsigned tile_a, tile_b;
  int64_t begin;  // in k
  int depth;
  template <typename T>
  __device__ explicit Part(const Product<T>& product)
      : tile_a(blockIdx.x / product.tiles_b),
        tile_b(blockIdx.x % product.tiles_b),
        begin(int64_t{blockIdx.y} * product.depth_per_split),
        depth(static_cast<int>(min(int64_t{product.depth_per_split}, product.depth - begin))) {}
};

// Adds the tile's sizes to the parameters of a launch.
template <typename Tile, typename T>
Product<T> with_tile(Product<T> product, Along a, Along b) {
  product.tiles_b = static_cast<unsigned>(blocks_for(product.out.n, Tile::kLines));
  product.a.step = a == Along::Depth ? Tile::kDepth : Tile::kDepth * product.a.stride;
  product.b.step = b == Along::Depth ? Tile::kDepth : Tile::kDepth * product.b.stride;
  return product;
}
template <typename Tile, typename T>
Grid grid_of(const Product<T>& product, int64_t splits) {
  const int64_t tiles = blocks_for(product.out.m, Tile::kLines) * blocks_for(product.out.n, Tile::kLines);
  return {.blocks = dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(splits)), .threads = dim3(Tile::kThreads)};
}

// ---- from a thread's sums to C ----

// Not inlined: in an unrolled loop over a thread's sums it would be most of the kernel and raise its registers.
__attribute__((noinline)) static __device__ Pack<float, 4> gelu_of_four(Pack<float, 4> x) {
#pragma unroll
  for (int j = 0; j < 4; ++j) x.at[j] *= normcdff(x.at[j]);
  return x;
}
__device__ inline Pack<float, 4> activated(Pack<float, 4> x, Activation activation) {
  if (activation == Activation::Gelu) return gelu_of_four(x);
  if (activation == Activation::Relu) {
#pragma unroll
    for (int j = 0; j < 4; ++j) x.at[j] = x.at[j] < 0.0f ? 0.0f : x.at[j];  // NaN stays NaN
  }
  return x;
}

template <typename T>
__device__ inline void store_four(T* to, const Pack<float, 4>& values, int64_t count, bool vector) {
  Pack<T, 4> rounded;
#pragma unroll
  for (int j = 0; j < 4; ++j) rounded.at[j] = from_float<T>(values.at[j]);
  if (vector) return store_pack(to, rounded);
#pragma unroll
  for (int j = 0; j < 4; ++j)
    if (j < count) to[j] = rounded.at[j];
}

template <typename T>
__device__ inline void store_four(const Output& out, void* to, int64_t at, const Pack<float, 4>& values,
                                  int64_t count) {
  if constexpr (sizeof(T) == 2) {
    if (out.narrow) return store_four(static_cast<T*>(to) + at, values, count, out.vector);
  }
  store_four(static_cast<float*>(to) + at, values, count, out.vector);
}

// Applies bias and activation to four sums of one row, from `column` (a multiple of four) on, and stores them to C.
template <typename T>
__device__ inline void finish(const Output& out, int64_t row, int64_t column, Pack<float, 4> values) {
  const int64_t count = out.n - column;
  if (row >= out.m || count <= 0) return;
  if (out.bias != nullptr) {
#pragma unroll
    for (int j = 0; j < 4; ++j)
      if (j < count) values.at[j] += out.bias[column + j];
  }
  const int64_t at = row * out.n + column;
  if (out.pre != nullptr) store_four<T>(out, out.pre, at, values, count);
  store_four<T>(out, out.c, at, activated(values, out.activation), count);
}

// If the sum over k is split, a block stores its sums to the [m, n] floats of its split; sum_splits_kernel adds them.
template <typename T>
__device__ inline Output output_of_block(const Product<T>& product) {
  Output out = product.out;
  if (gridDim.y > 1) out.c = static_cast<float*>(out.c) + int64_t{blockIdx.y} * out.m * out.n;
  return out;
}

// ---- the kernels, each in its file ----

constexpr int64_t kLargeTile = 128, kSmallTile = 64;  // lines of A and of B
constexpr int64_t kDeepestTile = 32;                  // splits of k are multiples of it

struct Launching {
  Device device;
  bool large;  // the larger of the two tiles
  int64_t splits;
};
template <typename T>
void launch_on_cuda_cores(const Product<T>& product, Along a, Along b, const Launching& how);
template <typename T>
void launch_on_tensor_cores(const Product<T>& product, Along a, Along b, const Launching& how);

// body.template operator()<Along of A, Along of B>()
template <typename Body>
void for_layouts(Along a, Along b, Body&& body) {
  if (a == Along::Depth && b == Along::Depth) return body.template operator()<Along::Depth, Along::Depth>();
  if (a == Along::Depth) return body.template operator()<Along::Depth, Along::Lines>();
  if (b == Along::Depth) return body.template operator()<Along::Lines, Along::Depth>();
  return body.template operator()<Along::Lines, Along::Lines>();
}

}  // namespace avs::cuda
