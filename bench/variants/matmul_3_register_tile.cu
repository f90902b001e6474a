// Step 3: a thread computes 4 x 4 elements, so it uses each element that it loads from shared memory four times.
//
// Per depth a thread loads four elements of A and four of B (16 bytes each) for 16 multiply-adds. A warp is 2 x 16
// threads: its 16 different groups of four of B take shared memory two clocks, its two of A one: 3 * 128 bytes for 32 *
// 16 multiply-adds, 0.75 bytes each, for the first time less than the 1 byte that the arithmetic can follow. The
// traffic behind L1 is 2 * 4 / 64 = 0.125 bytes.
//
// The engine's own kernel (cuda/matmul_cuda_cores.cu) adds: 8 x 8 elements per thread and warps of 4 x 8 threads (0.25
// bytes, and 0.0625 behind L1); the next tile loads while this one is multiplied; A and B transposed or not; k split
// between blocks if C is small; and for 16-bit types tensor cores (cuda/matmul_tensor_cores.cu).
#include "bench/variants/variants.h"
#include "cuda/device.cuh"

namespace avs::variants {
namespace {

using namespace avs::cuda;

constexpr int kTile = 64, kDepth = 16, kEach = 4;

__global__ void matmul_3_kernel(int64_t m, int64_t n, int64_t k, const float* a, const float* b, float* c) {
  alignas(16) __shared__ float tile_a[kDepth][kTile + 4];  // A by depth, so that four rows are adjacent
  alignas(16) __shared__ float tile_b[kDepth][kTile + 4];
  const int thread = static_cast<int>(threadIdx.x), x = thread % 16 * kEach, y = thread / 16 * kEach;
  const int64_t first_row = int64_t{blockIdx.y} * kTile, first_column = int64_t{blockIdx.x} * kTile;
  float sums[kEach][kEach] = {};
  for (int64_t first = 0; first < k; first += kDepth) {
    for (int i = thread; i < kTile * kDepth; i += kBlock) {
      const int64_t row = first_row + i / kDepth, column = first_column + i % kTile;
      tile_a[i % kDepth][i / kDepth] = row < m && first + i % kDepth < k ? a[row * k + first + i % kDepth] : 0.0f;
      tile_b[i / kTile][i % kTile] = first + i / kTile < k && column < n ? b[(first + i / kTile) * n + column] : 0.0f;
    }
    __syncthreads();
#pragma unroll
    for (int d = 0; d < kDepth; ++d) {
      const Pack<float, kEach> left = load_pack<kEach>(&tile_a[d][y]), top = load_pack<kEach>(&tile_b[d][x]);
#pragma unroll
      for (int i = 0; i < kEach; ++i)
#pragma unroll
        for (int j = 0; j < kEach; ++j) sums[i][j] += left.at[i] * top.at[j];
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < kEach; ++i)
#pragma unroll
    for (int j = 0; j < kEach; ++j)
      if (first_row + y + i < m && first_column + x + j < n)
        c[(first_row + y + i) * n + first_column + x + j] = sums[i][j];
}

}  // namespace

void matmul_3_register_tile(const Tensor& a, const Tensor& b, Tensor& c) {
  const int64_t m = a.shape()[0], k = a.shape()[1], n = b.shape()[1];
  const dim3 blocks(static_cast<unsigned>(blocks_for(n, kTile)), static_cast<unsigned>(blocks_for(m, kTile)));
  launch("matmul_3_kernel", matmul_3_kernel, {.blocks = blocks, .threads = dim3(kBlock)}, c.device(), m, n, k,
         a.data<float>(), b.data<float>(), c.data<float>());
}

}  // namespace avs::variants
