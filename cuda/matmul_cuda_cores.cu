// The matrix product on CUDA cores. Compute bound: 2 m n k flops; a block of the large tile reads (128 + 128) * k
// elements for 128 * 128 * k multiply-adds, 64 per element. Each of 256 threads keeps 8 x 8 sums (4 x 4 in the small
// tile) in registers; shared memory holds two tiles, so that the next one loads while this one is multiplied.
#include "cuda/matmul_tile.cuh"

namespace avs::cuda {
namespace {

// A thread's sums are kEach x kEach. With more unrolling the large tile would exceed 128 registers, half of a
// multiprocessor.
struct Large {
  static constexpr int kLines = kLargeTile, kDepth = 8, kThreads = 256, kEach = 8, kUnroll = 2;
};
struct Small {
  static constexpr int kLines = kSmallTile, kDepth = 16, kThreads = 256, kEach = 4, kUnroll = 8;
};

// The lines of one depth are adjacent, as floats, so that threads read four at a time. The padding puts the transposing
// stores of the large tile on different banks.
template <typename Tile>
using Floats = float[Tile::kDepth][Tile::kLines + 4];

template <typename T, Along along, typename Tile>
struct FloatShare : Share<T, along, Tile::kLines, Tile::kDepth, Tile::kThreads, 4> {
  using Share<T, along, Tile::kLines, Tile::kDepth, Tile::kThreads, 4>::Share;
  __device__ void store(Floats<Tile>& tile) const {
#pragma unroll
    for (int i = 0; i < this->kPacks; ++i) {
      const int row = this->row() + i * this->kStep, column = this->column();
      float values[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) values[j] = to_float(this->packs[i].at[j]);
      if constexpr (along == Along::Lines) {
        store_pack(&tile[row][column], Pack<float, 4>{values[0], values[1], values[2], values[3]});
      } else {
#pragma unroll
        for (int j = 0; j < 4; ++j) tile[column + j][row] = values[j];
      }
    }
  }
};

// A warp is 4 x 8 lanes, a block 4 x 2 warps. A thread has groups of four lines, one span of the warp apart, so that
// lanes read neighbouring addresses.
template <typename Tile>
struct Place {
  static constexpr int kSpanA = 4 * 4, kSpanB = 8 * 4;
  int a, b;  // the thread's first lines in the tile
  __device__ Place() {
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    a = warp / 2 * 4 * Tile::kEach + lane / 8 * 4;
    b = warp % 2 * 8 * Tile::kEach + lane % 8 * 4;
  }
};

template <typename Tile>
__device__ inline void multiply(const Floats<Tile>& a, const Floats<Tile>& b, const Place<Tile>& at,
                                float (&sums)[Tile::kEach][Tile::kEach]) {
#pragma unroll Tile::kUnroll
  for (int d = 0; d < Tile::kDepth; ++d) {
    Pack<float, 4> x[Tile::kEach / 4], y[Tile::kEach / 4];
#pragma unroll
    for (int q = 0; q < Tile::kEach / 4; ++q) {
      x[q] = load_pack<4>(&a[d][at.a + q * at.kSpanA]);
      y[q] = load_pack<4>(&b[d][at.b + q * at.kSpanB]);
    }
#pragma unroll
    for (int i = 0; i < Tile::kEach; ++i)
#pragma unroll
      for (int j = 0; j < Tile::kEach; ++j) sums[i][j] += x[i / 4].at[i % 4] * y[j / 4].at[j % 4];
  }
}

template <typename T, typename Tile>
__device__ inline void write(const Product<T>& product, const Part& part, const Place<Tile>& at,
                             const float (&sums)[Tile::kEach][Tile::kEach]) {
  const Output out = output_of_block(product);
  const int64_t row = int64_t{part.tile_a} * Tile::kLines + at.a, column = int64_t{part.tile_b} * Tile::kLines + at.b;
#pragma unroll
  for (int i = 0; i < Tile::kEach; ++i)
#pragma unroll
    for (int q = 0; q < Tile::kEach / 4; ++q) {
      const Pack<float, 4> values{sums[i][q * 4], sums[i][q * 4 + 1], sums[i][q * 4 + 2], sums[i][q * 4 + 3]};
      finish<T>(out, row + i / 4 * at.kSpanA + i % 4, column + q * at.kSpanB, values);
    }
}

template <typename T, typename Tile, Along along_a, Along along_b>
__global__ void __launch_bounds__(Tile::kThreads, 2) matmul_kernel(Product<T> product) {
  alignas(16) __shared__ Floats<Tile> a[2];
  alignas(16) __shared__ Floats<Tile> b[2];
  const Part part(product);
  const Place<Tile> at;
  float sums[Tile::kEach][Tile::kEach] = {};
  FloatShare<T, along_a, Tile> share_a(product.a, int64_t{part.tile_a} * Tile::kLines, part.begin);
  FloatShare<T, along_b, Tile> share_b(product.b, int64_t{part.tile_b} * Tile::kLines, part.begin);
  share_a.load(product.a, part.depth);
  share_b.load(product.b, part.depth);
  share_a.store(a[0]);
  share_b.store(b[0]);
  __syncthreads();
  int current = 0;
  for (int left = part.depth - Tile::kDepth; left > -Tile::kDepth; left -= Tile::kDepth) {
    if (left > 0) {
      share_a.load(product.a, left);
      share_b.load(product.b, left);
    }
    multiply<Tile>(a[current], b[current], at, sums);
    current ^= 1;
    if (left > 0) {  // all threads finished reading that tile before the last barrier
      share_a.store(a[current]);
      share_b.store(b[current]);
    }
    __syncthreads();
  }
  write<T, Tile>(product, part, at, sums);
}

template <typename T, typename Tile>
void launch_tile(const Product<T>& product, Along a, Along b, const Launching& how) {
  const Product<T> tiled = with_tile<Tile>(product, a, b);
  for_layouts(a, b, [&]<Along along_a, Along along_b>() {
    launch("matmul_kernel", matmul_kernel<T, Tile, along_a, along_b>, grid_of<Tile>(product, how.splits), how.device,
           tiled);
  });
}

}  // namespace

template <typename T>
void launch_on_cuda_cores(const Product<T>& product, Along a, Along b, const Launching& how) {
  how.large ? launch_tile<T, Large>(product, a, b, how) : launch_tile<T, Small>(product, a, b, how);
}
template void launch_on_cuda_cores(const Product<float>&, Along, Along, const Launching&);
template void launch_on_cuda_cores(const Product<bf16>&, Along, Along, const Launching&);
template void launch_on_cuda_cores(const Product<f16>&, Along, Along, const Launching&);

}  // namespace avs::cuda
