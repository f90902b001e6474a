// The matrix product of bf16 and f16 on tensor cores (WMMA, 16 x 16 x 16, sums in f32), for every GPU from sm_75 (f16)
// and sm_80 (bf16) on. Compute bound for large products, else by 2 bytes per element of A, B and C. A block of the
// large tile is 2 x 4 warps of 64 x 32 sums each; shared memory holds two tiles in the order of global memory, so that
// the next one loads while this one is multiplied. WMMA reads either order: in f16 by one ldmatrix per fragment; in
// bf16 nvcc 13 emits generic 4-byte loads, four times as many instructions, and a transposition if memory is contiguous
// along lines.
#include <mma.h>

#include <algorithm>
#include <type_traits>

#include "cuda/matmul_tile.cuh"

namespace avs::cuda {
namespace {

namespace wmma = nvcuda::wmma;

// For an older GPU the kernel compiles to nothing; cuda/matmul.cu does not launch it there.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
template <typename T>
constexpr bool kHasTensorCores = std::is_same_v<T, f16>;
#else
template <typename T>
constexpr bool kHasTensorCores = true;
#endif

template <typename T>
using Native = std::conditional_t<std::is_same_v<T, f16>, __half, __nv_bfloat16>;

constexpr int kSide = 16;             // extent of a fragment
constexpr int kWide = 8;              // elements in 16 bytes
constexpr int kPadding = 8;           // elements; rows begin on different banks and stay 16-byte aligned
constexpr int kStageRow = kSide + 4;  // floats

template <int kLinesOfTile, int kDepthOfTile, int kWarpsA, int kWarpsB>
struct TileOf {
  static constexpr int kLines = kLinesOfTile, kDepth = kDepthOfTile, kAcross = kWarpsB, kWarps = kWarpsA * kWarpsB,
                       kThreads = 32 * kWarps;
  static constexpr int kWarpA = kLines / kWarpsA, kWarpB = kLines / kWarpsB;  // lines of one warp
  static constexpr int kFragmentsA = kWarpA / kSide, kFragmentsB = kWarpB / kSide;
};
using Large = TileOf<kLargeTile, 16, 2, 4>;  // a deeper tile's loads in flight would exceed the registers
using Small = TileOf<kSmallTile, 32, 2, 2>;

// One operand's tile in shared memory, in the order of global memory.
template <typename T, Along along, typename Tile>
struct Staged {
  static constexpr int kRow = (along == Along::Depth ? Tile::kDepth : Tile::kLines) + kPadding;
  static constexpr int kElements = (along == Along::Depth ? Tile::kLines : Tile::kDepth) * kRow;
  using Lines = Share<T, along, Tile::kLines, Tile::kDepth, Tile::kThreads, kWide>;

  __device__ static void store(const Lines& share, T* tile) {
#pragma unroll
    for (int i = 0; i < Lines::kPacks; ++i)
      store_pack(tile + (share.row() + i * Lines::kStep) * kRow + share.column(), share.packs[i]);
  }
  __device__ static const Native<T>* at(const T* tile, int line, int depth) {
    return reinterpret_cast<const Native<T>*>(tile +
                                              (along == Along::Depth ? line * kRow + depth : depth * kRow + line));
  }
};

// WMMA reads A as [m, k] and B as [k, n]: lines are A's rows and B's columns.
template <typename T, Along along>
using FragmentA = wmma::fragment<wmma::matrix_a, kSide, kSide, kSide, Native<T>,
                                 std::conditional_t<along == Along::Depth, wmma::row_major, wmma::col_major>>;
template <typename T, Along along>
using FragmentB = wmma::fragment<wmma::matrix_b, kSide, kSide, kSide, Native<T>,
                                 std::conditional_t<along == Along::Depth, wmma::col_major, wmma::row_major>>;
using Sums = wmma::fragment<wmma::accumulator, kSide, kSide, kSide, float>;

// The types of one kernel.
template <typename T, typename TileType, Along along_a, Along along_b>
struct Block {
  using Tile = TileType;
  using A = Staged<T, along_a, Tile>;
  using B = Staged<T, along_b, Tile>;
  static constexpr int kTileBytes = 2 * (A::kElements + B::kElements) * static_cast<int>(sizeof(T));
  static constexpr int kStageBytes = Tile::kWarps * kSide * kStageRow * static_cast<int>(sizeof(float));
  static constexpr int kBytes = std::max(kTileBytes, kStageBytes);  // sums go through the tiles' memory
  using AllSums = Sums[Tile::kFragmentsA][Tile::kFragmentsB];

  __device__ static void multiply(const T* a, const T* b, int warp, AllSums& sums) {
    const int first_a = warp / Tile::kAcross * Tile::kWarpA, first_b = warp % Tile::kAcross * Tile::kWarpB;
#pragma unroll
    for (int d = 0; d < Tile::kDepth; d += kSide) {
      FragmentB<T, along_b> y[Tile::kFragmentsB];
#pragma unroll
      for (int j = 0; j < Tile::kFragmentsB; ++j)
        wmma::load_matrix_sync(y[j], B::at(b, first_b + j * kSide, d), B::kRow);
#pragma unroll
      for (int i = 0; i < Tile::kFragmentsA; ++i) {
        FragmentA<T, along_a> x;
        wmma::load_matrix_sync(x, A::at(a, first_a + i * kSide, d), A::kRow);
#pragma unroll
        for (int j = 0; j < Tile::kFragmentsB; ++j) wmma::mma_sync(sums[i][j], x, y[j], sums[i][j]);
      }
    }
  }

  // WMMA does not define which lane holds which sum, so sums go through shared memory, 16 x 16 at a time.
  __device__ static void write(const Product<T>& product, const Part& part, int warp, float* stage,
                               const AllSums& sums) {
    const Output out = output_of_block(product);
    const int lane = static_cast<int>(threadIdx.x) % 32, row = lane / 2, column = lane % 2 * 8;
    const int64_t line_a = int64_t{part.tile_a} * Tile::kLines + warp / Tile::kAcross * Tile::kWarpA + row;
    const int64_t line_b = int64_t{part.tile_b} * Tile::kLines + warp % Tile::kAcross * Tile::kWarpB + column;
    stage += warp * kSide * kStageRow;
#pragma unroll
    for (int i = 0; i < Tile::kFragmentsA; ++i)
#pragma unroll
      for (int j = 0; j < Tile::kFragmentsB; ++j) {
        wmma::store_matrix_sync(stage, sums[i][j], kStageRow, wmma::mem_row_major);
        __syncwarp();
#pragma unroll
        for (int half = 0; half < 8; half += 4)
          finish<T>(out, line_a + i * kSide, line_b + j * kSide + half,
                    load_pack<4>(stage + row * kStageRow + column + half));
        __syncwarp();
      }
  }

  __device__ static void run(const Product<T>& product, unsigned char* memory) {
    const int warp = static_cast<int>(threadIdx.x) / 32;
    const Part part(product);
    T* const a = reinterpret_cast<T*>(memory);
    T* const b = a + 2 * A::kElements;
    AllSums sums;
#pragma unroll
    for (int i = 0; i < Tile::kFragmentsA; ++i)
#pragma unroll
      for (int j = 0; j < Tile::kFragmentsB; ++j) wmma::fill_fragment(sums[i][j], 0.0f);
    typename A::Lines share_a(product.a, int64_t{part.tile_a} * Tile::kLines, part.begin);
    typename B::Lines share_b(product.b, int64_t{part.tile_b} * Tile::kLines, part.begin);
    share_a.load(product.a, part.depth);
    share_b.load(product.b, part.depth);
    A::store(share_a, a);
    B::store(share_b, b);
    __syncthreads();
    int current = 0;
    for (int left = part.depth - Tile::kDepth; left > -Tile::kDepth; left -= Tile::kDepth) {
      if (left > 0) {
        share_a.load(product.a, left);
        share_b.load(product.b, left);
      }
      multiply(a + current * A::kElements, b + current * B::kElements, warp, sums);
      current ^= 1;
      if (left > 0) {  // all threads finished reading that tile before the last barrier
        A::store(share_a, a + current * A::kElements);
        B::store(share_b, b + current * B::kElements);
      }
      __syncthreads();
    }
    write(product, part, warp, reinterpret_cast<float*>(memory), sums);
  }
};

template <typename T, typename Tile, Along along_a, Along along_b>
__global__ void __launch_bounds__(Tile::kThreads, 2) matmul_tensor_kernel(Product<T> product) {
  if constexpr (kHasTensorCores<T>) {
    using Program = Block<T, Tile, along_a, along_b>;
    alignas(128) __shared__ unsigned char memory[Program::kBytes];
    Program::run(product, memory);
  }
}

template <typename T, typename Tile>
void launch_tile(const Product<T>& product, Along a, Along b, const Launching& how) {
  const Product<T> tiled = with_tile<Tile>(product, a, b);
  for_layouts(a, b, [&]<Along along_a, Along along_b>() {
    launch("matmul_tensor_kernel", matmul_tensor_kernel<T, Tile, along_a, along_b>, grid_of<Tile>(product, how.splits),
           how.device, tiled);
  });
}

}  // namespace

template <typename T>
void launch_on_tensor_cores(const Product<T>& product, Along a, Along b, const Launching& how) {
  how.large ? launch_tile<T, Large>(product, a, b, how) : launch_tile<T, Small>(product, a, b, how);
}
template void launch_on_tensor_cores(const Product<bf16>&, Along, Along, const Launching&);
template void launch_on_tensor_cores(const Product<f16>&, Along, Along, const Launching&);

}  // namespace avs::cuda
