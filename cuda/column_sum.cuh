// Sums over the rows of [rows, c] for every channel: bias, gain, gamma and beta gradients, statistics. One pass over
// the data, in which the caller may also write an output element by element; memory bound.
//
// Two kernels. In the first, a block takes a tile of columns and a piece of the rows; each thread sums short runs of
// rows in f32, and the threads of a column are added in double. The second adds the pieces in double, always in the
// same order. The cut depends on rows and c alone, so the sums have the same bits on every GPU.
//
// The summands come from a Term, copied into each thread:
//   struct Term {
//     static constexpr int kSums = 2, kWidth = 4;   // quantities; columns a thread handles at once (a Pack)
//     __device__ void begin(int64_t column);        // loads parameters of columns column .. column + kWidth - 1
//     __device__ void add(int64_t row, int64_t column, float (&sums)[kSums][kWidth]);   // one row's terms
//   };
// add() sees every (row, column) exactly once. cuda/reduce.cu is the smallest user, cuda/scale_channels.cu the next.
#pragma once

#include <algorithm>

#include "cuda/device.cuh"
#include "tensor/tensor.h"

namespace avs::cuda {

template <int kSums>
struct ColumnSums {
  float* to[kSums];  // [c] each
};

// ---- kernels ----

constexpr int kRunRows = 16;  // rows added in f32 before their sum joins the sum of runs

// A Term may set the min blocks per multiprocessor of sm_120 (device.cuh).
template <typename Term>
constexpr int few_blocks() {
  if constexpr (requires { Term::kFewBlocks; })
    return Term::kFewBlocks;
  else
    return 0;
}

template <typename Term>
__global__ void __launch_bounds__(kBlock, on_sm_120(few_blocks<Term>()))
    column_sums_kernel(int64_t rows, int64_t c, int64_t rows_per_block, Term term, float* __restrict__ partial,
                       ColumnSums<Term::kSums> totals) {
  constexpr int kSums = Term::kSums, kWidth = Term::kWidth;
  __shared__ float of_thread[kWidth][kBlock];
  const int threads = static_cast<int>(blockDim.x),
            me = static_cast<int>(threadIdx.y) * threads + static_cast<int>(threadIdx.x);
  const int64_t column = (int64_t{blockIdx.x} * threads + threadIdx.x) * kWidth;
  const int64_t end = min(rows, (int64_t{blockIdx.y} + 1) * rows_per_block);
  float sums[kSums][kWidth] = {};
  if (column < c) {
    term.begin(column);
    for (int64_t row = int64_t{blockIdx.y} * rows_per_block + threadIdx.y; row < end;) {
      float run[kSums][kWidth] = {};
      const int64_t run_end = min(end, row + int64_t{kRunRows} * blockDim.y);
      for (; row < run_end; row += blockDim.y) term.add(row, column, run);
#pragma unroll
      for (int q = 0; q < kSums; ++q)
#pragma unroll
        for (int k = 0; k < kWidth; ++k) sums[q][k] += run[q][k];
    }
  }
#pragma unroll
  for (int q = 0; q < kSums; ++q) {
#pragma unroll
    for (int k = 0; k < kWidth; ++k) of_thread[k][me] = sums[q][k];
    __syncthreads();
    if (threadIdx.y == 0 && column < c) {
      float* const to = gridDim.y == 1 ? totals.to[q] : partial + (int64_t{q} * gridDim.y + blockIdx.y) * c;
#pragma unroll
      for (int k = 0; k < kWidth; ++k) {
        double sum = 0;
        for (int y = 0; y < static_cast<int>(blockDim.y); ++y)
          sum += static_cast<double>(of_thread[k][y * threads + me]);
        to[column + k] = static_cast<float>(sum);
      }
    }
    __syncthreads();
  }
}

constexpr int kTotalLanes = 16;  // threads that share the partial sums of one column

// partial: [kSums, parts, c]
template <int kSums>
__global__ void __launch_bounds__(32 * kTotalLanes)
    column_totals_kernel(int64_t parts, int64_t c, const float* __restrict__ partial,
                         __grid_constant__ const ColumnSums<kSums> totals) {
  __shared__ double of_lane[kTotalLanes][32];
  const int64_t column = int64_t{blockIdx.x} * 32 + threadIdx.x;
  double sum = 0;
  if (column < c)
    for (int64_t p = threadIdx.y; p < parts; p += kTotalLanes)
      sum += static_cast<double>(partial[(int64_t{blockIdx.y} * parts + p) * c + column]);
  of_lane[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y != 0 || column >= c) return;
  for (int lane = 1; lane < kTotalLanes; ++lane) sum += of_lane[lane][threadIdx.x];
  totals.to[blockIdx.y][column] = static_cast<float>(sum);
}

// ---- on the host ----

// Only the second kernel, for kernels that write their own partial sums, f32 [kSums, parts, c].
template <int kSums>
void add_partial_sums(const Tensor& partial, int64_t parts, int64_t c, const ColumnSums<kSums>& totals) {
  launch("column_totals_kernel", column_totals_kernel<kSums>,
         {.blocks = dim3(static_cast<unsigned>(blocks_for(c, 32)), kSums), .threads = dim3(32, kTotalLanes)},
         partial.device(), parts, c, partial.data<float>(), totals);
}

// The cut of [rows, c]: a block has threads.x threads of `width` columns each by threads.y, and rows_per_block rows.
struct ColumnCut {
  dim3 threads;
  int64_t tiles, parts, rows_per_block;
};
// fewest_rows: the minimum rows per thread.
inline ColumnCut cut_columns(int64_t rows, int64_t c, int width, int64_t fewest_rows = 16) {
  constexpr int64_t kMaxBlocks = 1024;  // about enough for a large GPU
  const int64_t packs = blocks_for(c, width), tiles = blocks_for(packs, 32);
  const int64_t across = blocks_for(packs, tiles), down = kBlock / across;
  const int64_t fair = blocks_for(rows * tiles, kMaxBlocks);
  const int64_t rows_per_block = blocks_for(std::max(fair, fewest_rows * down), down) * down;
  return {.threads = dim3(static_cast<unsigned>(across), static_cast<unsigned>(down)),
          .tiles = tiles,
          .parts = std::max<int64_t>(1, blocks_for(rows, rows_per_block)),
          .rows_per_block = rows_per_block};
}

// `name` names the sum in errors and profiles. Term::kWidth divides c.
template <typename Term>
void sum_columns(const char* name, int64_t rows, int64_t c, Device device, const Term& term,
                 const ColumnSums<Term::kSums>& totals) {
  const ColumnCut cut = cut_columns(rows, c, Term::kWidth);
  Tensor partial = Tensor::empty({cut.parts == 1 ? 0 : Term::kSums * cut.parts * c}, DType::F32, device);
  launch(name, column_sums_kernel<Term>,
         {.blocks = dim3(static_cast<unsigned>(cut.tiles), static_cast<unsigned>(cut.parts)), .threads = cut.threads},
         device, rows, c, cut.rows_per_block, term, partial.data<float>(), totals);
  if (cut.parts > 1) add_partial_sums(partial, cut.parts, c, totals);
}

}  // namespace avs::cuda
