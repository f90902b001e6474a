// The tile of conv2d_tile.cuh on tensor cores, for bf16 and f16 with sums in f32. Shared memory holds A and B in the
// order of global memory, since WMMA reads either order (bf16 needs more instructions: matmul_tensor_cores.cu); each
// warp computes a part of the tile in 16 x 16 fragments.
#pragma once

#include <mma.h>

#include <algorithm>
#include <type_traits>

#include "cuda/conv2d_tile.cuh"

namespace avs::cuda {

// For a GPU without these tensor cores the kernels compile to nothing, and has_tensor_cores() prevents their launch.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
template <typename T>
constexpr bool kCompiledForTensorCores = std::is_same_v<T, f16>;
#else
template <typename T>
constexpr bool kCompiledForTensorCores = true;
#endif
template <typename T>
bool has_tensor_cores(Device device) {
  if constexpr (sizeof(T) != 2) return false;
  return facts(device).compiled_for >= (std::is_same_v<T, f16> ? 70 : 80);
}

template <typename T, int kTileRows, int kTileColumns, int kWarpsDown, int kWarpsAcross>
struct WmmaTile {
  static constexpr int kRows = kTileRows, kColumns = kTileColumns, kDepth = 32;
  static constexpr bool kIsCompiled = kCompiledForTensorCores<T>;
  static constexpr int kFewBlocks = 0;
  static constexpr int kWarps = kWarpsDown * kWarpsAcross, kThreads = 32 * kWarps;
  static constexpr int kSide = 16;  // extent of a fragment
  static constexpr int kDown = kRows / kWarpsDown / kSide,
                       kRight = kColumns / kWarpsAcross / kSide;  // fragments of one warp
  static constexpr int kPadding = 8;            // elements: lines begin in different banks and stay 16-byte aligned
  static constexpr int kStageLine = kSide + 4;  // floats
  // Modelled cost of a multiplication: itself and its part of the fragments read from shared memory.
  static constexpr double kCost = 1.0 + 1.0 * (kDown + kRight) / (kDown * kRight);

  using Native = std::conditional_t<std::is_same_v<T, f16>, __half, __nv_bfloat16>;
  using Accumulator = nvcuda::wmma::fragment<nvcuda::wmma::accumulator, kSide, kSide, kSide, float>;
  struct Sums {
    Accumulator at[kDown][kRight];
  };

  // An operand in shared memory: kExtent lines of kDepth elements, or kDepth lines of kExtent.
  template <int kExtent, bool kByDepth>
  struct Staged {
    static constexpr int kLine = (kByDepth ? kDepth : kExtent) + kPadding;
    static constexpr int kElements = (kByDepth ? kExtent : kDepth) * kLine;
    static __device__ int at(int row, int depth) { return kByDepth ? row * kLine + depth : depth * kLine + row; }
    template <typename Loader>
    static __device__ void put(const Loader& loader, T* to) {
      loader.each([&](int row, int depth, const auto& vector) { store_pack(to + at(row, depth), vector); });
    }
  };
  static constexpr size_t kMaxElements =  // elements in one buffer: rows by depth take more than depths by row
      static_cast<size_t>(kRows + kColumns) * (kDepth + kPadding) + static_cast<size_t>(kDepth) * 2 * kPadding;
  static constexpr size_t kStageBytes = static_cast<size_t>(kWarps) * kSide * kStageLine * sizeof(float);
  static constexpr size_t kSharedBytes = std::max(2 * kMaxElements * sizeof(T), kStageBytes);

  static __device__ void clear(Sums& sums) {
#pragma unroll
    for (int i = 0; i < kDown; ++i)
#pragma unroll
      for (int j = 0; j < kRight; ++j) nvcuda::wmma::fill_fragment(sums.at[i][j], 0.0f);
  }

  template <bool kADepth, bool kBDepth>
  static __device__ void multiply_buffer(const T* a, const T* b, Sums& sums) {
    namespace wmma = nvcuda::wmma;
    using StagedA = Staged<kRows, kADepth>;
    using StagedB = Staged<kColumns, kBDepth>;
    // WMMA reads A as [row, depth] and B as [depth, column].
    using LayoutA = std::conditional_t<kADepth, wmma::row_major, wmma::col_major>;
    using LayoutB = std::conditional_t<kBDepth, wmma::col_major, wmma::row_major>;
    const int warp = static_cast<int>(threadIdx.x) / 32;
    const int row = warp / kWarpsAcross * kDown * kSide, column = warp % kWarpsAcross * kRight * kSide;
#pragma unroll
    for (int d = 0; d < kDepth; d += kSide) {
      wmma::fragment<wmma::matrix_b, kSide, kSide, kSide, Native, LayoutB> right[kRight];
#pragma unroll
      for (int j = 0; j < kRight; ++j)
        wmma::load_matrix_sync(right[j], reinterpret_cast<const Native*>(b + StagedB::at(column + j * kSide, d)),
                               StagedB::kLine);
#pragma unroll
      for (int i = 0; i < kDown; ++i) {
        wmma::fragment<wmma::matrix_a, kSide, kSide, kSide, Native, LayoutA> left;
        wmma::load_matrix_sync(left, reinterpret_cast<const Native*>(a + StagedA::at(row + i * kSide, d)),
                               StagedA::kLine);
#pragma unroll
        for (int j = 0; j < kRight; ++j) wmma::mma_sync(sums.at[i][j], left, right[j], sums.at[i][j]);
      }
    }
  }

  template <typename A, typename B>
  static __device__ void multiply(const A& a, const B& b, int64_t row, int64_t column, int64_t first_step,
                                  int64_t steps, Sums& sums) {
    if (steps <= 0) return;
    using LoadA = TileLoader<A, kRows, kDepth, kThreads>;
    using LoadB = TileLoader<B, kColumns, kDepth, kThreads>;
    using StagedA = Staged<kRows, LoadA::kByDepth>;
    using StagedB = Staged<kColumns, LoadB::kByDepth>;
    T* const tiles_a = dynamic_shared<T>();
    T* const tiles_b = tiles_a + 2 * StagedA::kElements;
    LoadA load_a(a, row, first_step * kDepth);
    LoadB load_b(b, column, first_step * kDepth);
    load_a.fetch(a);
    load_b.fetch(b);
    StagedA::put(load_a, tiles_a);
    StagedB::put(load_b, tiles_b);
    __syncthreads();
    for (int64_t step = 0; step < steps; ++step) {
      const bool more = step + 1 < steps;
      const int current = static_cast<int>(step % 2);
      if (more) {
        load_a.fetch(a);
        load_b.fetch(b);
      }
      multiply_buffer<LoadA::kByDepth, LoadB::kByDepth>(tiles_a + current * StagedA::kElements,
                                                        tiles_b + current * StagedB::kElements, sums);
      if (more) {  // the last read of the other buffer was before the previous step's barrier
        StagedA::put(load_a, tiles_a + (1 - current) * StagedA::kElements);
        StagedB::put(load_b, tiles_b + (1 - current) * StagedB::kElements);
      }
      __syncthreads();
    }
  }

  // WMMA does not define which lane holds which sum, so sums go through shared memory, which is free after the last
  // barrier.
  template <typename Put>
  static __device__ void each(const Sums& sums, Put put) {
    const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
    const int row = warp / kWarpsAcross * kDown * kSide + lane / 2,
              column = warp % kWarpsAcross * kRight * kSide + lane % 2 * 8;
    float* const stage = dynamic_shared<float>() + warp * kSide * kStageLine;
    const float* const own_sums = stage + lane / 2 * kStageLine + lane % 2 * 8;
#pragma unroll
    for (int i = 0; i < kDown; ++i)
#pragma unroll
      for (int j = 0; j < kRight; ++j) {
        nvcuda::wmma::store_matrix_sync(stage, sums.at[i][j], kStageLine, nvcuda::wmma::mem_row_major);
        __syncwarp();
        put(row + i * kSide, column + j * kSide, load_pack<4>(own_sums));
        put(row + i * kSide, column + j * kSide + 4, load_pack<4>(own_sums + 4));
        __syncwarp();
      }
  }
};

}  // namespace avs::cuda
