// Step 4, not adopted: the block's inputs in shared memory, with zeros outside the image.
//
// A block of 4 warps computes 32 channels of 8 x 14 outputs, each warp 4 x 7 of them, as in the engine's own kernel. It
// first copies 14 x 20 pixels: 2.5 loads an output, 10 bytes. Then it reads 10 * 13 + 49 values for 28 outputs, 25.6
// bytes, at constant offsets, without bounds checks or address arithmetic. That saves about a quarter of all
// instructions at the image's border and little inside. It costs a wait for the copy, 42 KB for 4 warps (one block at a
// time on sm_75, two on sm_86), and idle warps for an image of 7 x 7. Only a measurement shows which is faster.
#include "bench/variants/variants.h"
#include "cuda/device.cuh"

namespace avs::variants {
namespace {

using namespace avs::cuda;

constexpr int kWarps = 4, kHigh = 8, kWide = 14;  // outputs of a block
constexpr int kInHigh = kHigh + 6, kInWide = kWide + 6;

__global__ void __launch_bounds__(kWarps * 32)
    depthwise_4_kernel(int64_t h, int64_t w, int64_t c, const float* x, const float* filter, float* y) {
  __shared__ float in[kInHigh][kInWide][32], weight[49][32];
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int64_t chunks = (c + 31) / 32, across = (w + kWide - 1) / kWide, down = (h + kHigh - 1) / kHigh;
  const int64_t channel = blockIdx.x % chunks * 32 + lane, tile = blockIdx.x / chunks;
  const int64_t image = tile / across / down, top = tile / across % down * kHigh, left = tile % across * kWide;
  for (int i = warp; i < 49; i += kWarps) weight[i][lane] = channel < c ? filter[i * c + channel] : 0.0f;
  for (int r = warp; r < kInHigh; r += kWarps)
#pragma unroll 4
    for (int s = 0; s < kInWide; ++s) {
      const int64_t row = top + r - 3, column = left + s - 3;
      const bool inside = row >= 0 && row < h && column >= 0 && column < w && channel < c;
      in[r][s][lane] = inside ? x[((image * h + row) * w + column) * c + channel] : 0.0f;
    }
  __syncthreads();
  const int first_row = warp / 2 * 4, first_column = warp % 2 * 7;
  float sum[4][7] = {}, taps[7][7];
#pragma unroll
  for (int i = 0; i < 10; ++i) {
    float line[13];
#pragma unroll
    for (int k = 0; k < 13; ++k) line[k] = in[first_row + i][first_column + k][lane];
#pragma unroll
    for (int s = 0; s < 7; ++s)
      if (i < 7) taps[i][s] = weight[i * 7 + s][lane];
#pragma unroll
    for (int k = 0; k < 4; ++k)
#pragma unroll
      for (int t = 0; t < 7; ++t)
#pragma unroll
        for (int s = 0; s < 7; ++s)
          if (i >= k && i - k < 7) sum[k][t] += line[t + s] * taps[i - k][s];
  }
#pragma unroll
  for (int k = 0; k < 4; ++k)
#pragma unroll
    for (int t = 0; t < 7; ++t) {
      const int64_t row = top + first_row + k, column = left + first_column + t;
      if (row < h && column < w && channel < c) y[((image * h + row) * w + column) * c + channel] = sum[k][t];
    }
}

}  // namespace

void depthwise_4_shared_tile(const Tensor& x, const Tensor& filter, Tensor& y) {
  const Nhwc e = as_nhwc(x.shape());
  const int64_t blocks = blocks_for(e.c, 32) * blocks_for(e.w, kWide) * blocks_for(e.h, kHigh) * e.n;
  launch("depthwise_4_kernel", depthwise_4_kernel,
         {.blocks = dim3(static_cast<unsigned>(blocks)), .threads = dim3(kWarps * 32)}, x.device(), e.h, e.w, e.c,
         x.data<float>(), filter.data<float>(), y.data<float>());
}

}  // namespace avs::variants
