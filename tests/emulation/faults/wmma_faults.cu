#include <mma.h>

#include "cuda/device.cuh"
#include "tests/emulation/faults/wmma_faults.h"

namespace avs::faults {
namespace {

using namespace avs::cuda;
namespace wmma = nvcuda::wmma;

enum class Broken { Nothing, Barrier, Alignment, Leading, Agreement, Filling };

constexpr int kRow = 24;  // elements from one row to the next

template <Broken broken>
__global__ void wmma_kernel(const float* __restrict__ a, const float* __restrict__ b, float* __restrict__ y) {
  alignas(128) __shared__ f16 tiles[2][18 * kRow];  // each begins at a multiple of 32 bytes
  alignas(128) __shared__ float sums[16 * 16];
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int i = lane; i < 17 * kRow; i += 32) {
    const int row = i / kRow, column = i % kRow;
    const bool inside = row < 16 && column < 16;
    tiles[0][i] = from_float<f16>(inside ? a[row * 16 + column] : 0.0f);
    tiles[1][i] = from_float<f16>(inside ? b[row * 16 + column] : 0.0f);
  }
  __syncwarp();
  wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major> x;
  wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::row_major> w;
  wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
  const __half* first = reinterpret_cast<const __half*>(tiles[0]);
  if (broken == Broken::Alignment) first += 8;
  if (broken == Broken::Agreement && lane == 7) first += 16;
  wmma::load_matrix_sync(x, first, broken == Broken::Leading ? kRow - 4 : kRow);
  wmma::load_matrix_sync(w, reinterpret_cast<const __half*>(tiles[1]), kRow);
  if (broken != Broken::Filling) wmma::fill_fragment(sum, 0.0f);
  wmma::mma_sync(sum, x, w, sum);
  wmma::store_matrix_sync(sums, sum, 16, wmma::mem_row_major);
  if (broken != Broken::Barrier) __syncwarp();
  for (int i = lane; i < 256; i += 32) y[i] = sums[i];
}

template <Broken broken>
void run(const Tensor& a, const Tensor& b, Tensor& y) {
  launch("wmma_kernel", wmma_kernel<broken>, Grid{dim3(1), dim3(32)}, a.device(), a.data<float>(), b.data<float>(),
         y.data<float>());
}

const WmmaFault kFaults[] = {
    {"no barrier between a store and the lanes that read it", run<Broken::Barrier>,
     "reads uninitialised shared memory"},
    {"an address that is no multiple of 32 bytes", run<Broken::Alignment>, "does not begin at a multiple of 32 bytes"},
    {"a leading dimension that is no multiple of 8 halves", run<Broken::Leading>,
     "leading dimension that is no multiple of 16"},
    {"lanes with different addresses", run<Broken::Agreement>, "lanes of a warp that disagree"},
    {"sums that nobody set to zero", run<Broken::Filling>, "a WMMA fragment of which nothing was loaded"},
};

}  // namespace

void wmma_product(const Tensor& a, const Tensor& b, Tensor& y) { run<Broken::Nothing>(a, b, y); }
const WmmaFault* wmma_begin() { return std::begin(kFaults); }
const WmmaFault* wmma_end() { return std::end(kFaults); }

}  // namespace avs::faults
