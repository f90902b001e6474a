// Step 3: seven outputs of a row in the registers of one thread.
//
// Neighbouring outputs read nearly the same inputs: seven of them read 13 in a row, not 49. Per filter row a thread
// loads 13 inputs and 7 weights for 49 multiply-adds: 7 * 20 * 4 / 7 = 80 bytes an output, a fifth of step 2. The sizes
// of ConvNeXt (56, 28, 14, 7) are multiples of seven.
//
// The engine's own kernel (cuda/depthwise_conv2d.cu) adds: four rows of outputs per thread, so that an input row is
// loaded once for up to four filter rows (25.6 bytes); a path for lines inside the image without bounds checks per
// element, which cost more instructions than the loads; the rotated filter for the gradient; 16-bit types.
#include "bench/variants/variants.h"
#include "cuda/device.cuh"

namespace avs::variants {
namespace {

using namespace avs::cuda;

__global__ void depthwise_3_kernel(int64_t n, int64_t h, int64_t w, int64_t c, const float* x, const float* filter,
                                   float* y) {
  const int64_t tiles = (w + 6) / 7, i = first_item();
  if (i >= n * h * tiles * c) return;
  const int64_t channel = i % c, column = i / c % tiles * 7, row = i / c / tiles % h, image = i / c / tiles / h;
  float sum[7] = {};
  for (int64_t r = 0; r < 7; ++r) {
    const int64_t from_row = row + r - 3;
    if (from_row < 0 || from_row >= h) continue;
    float in[13], weight[7];
#pragma unroll
    for (int k = 0; k < 13; ++k) {
      const int64_t from_column = column + k - 3;
      const bool inside = from_column >= 0 && from_column < w;
      in[k] = inside ? x[((image * h + from_row) * w + from_column) * c + channel] : 0.0f;
    }
#pragma unroll
    for (int s = 0; s < 7; ++s) weight[s] = filter[(r * 7 + s) * c + channel];
#pragma unroll
    for (int t = 0; t < 7; ++t)
#pragma unroll
      for (int s = 0; s < 7; ++s) sum[t] += in[t + s] * weight[s];
  }
#pragma unroll
  for (int t = 0; t < 7; ++t)
    if (column + t < w) y[((image * h + row) * w + column + t) * c + channel] = sum[t];
}

}  // namespace

void depthwise_3_seven_outputs(const Tensor& x, const Tensor& filter, Tensor& y) {
  const Nhwc e = as_nhwc(x.shape());
  const int64_t threads = e.n * e.h * blocks_for(e.w, 7) * e.c;
  launch("depthwise_3_kernel", depthwise_3_kernel,
         {.blocks = dim3(static_cast<unsigned>(blocks_for(threads, kBlock))), .threads = dim3(kBlock)}, x.device(), e.n,
         e.h, e.w, e.c, x.data<float>(), filter.data<float>(), y.data<float>());
}

}  // namespace avs::variants
