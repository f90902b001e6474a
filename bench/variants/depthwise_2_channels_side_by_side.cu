// Step 2: the same with the channel as the fastest index, as in memory. One line differs from step 1.
//
// A warp now reads 32 neighbouring channels, 128 contiguous bytes, and uses all that it fetches. Conditions on rows and
// columns do not diverge within it. The 392 bytes an output remain: in the clock in which a multiprocessor could do 128
// multiply-adds, L1 delivers 128 bytes, which is 16 pairs, so this runs at most at an eighth of the arithmetic.
#include "bench/variants/variants.h"
#include "cuda/device.cuh"

namespace avs::variants {
namespace {

using namespace avs::cuda;

__global__ void depthwise_2_kernel(int64_t n, int64_t h, int64_t w, int64_t c, const float* x, const float* filter,
                                   float* y) {
  const int64_t i = first_item();
  if (i >= n * h * w * c) return;
  const int64_t channel = i % c, column = i / c % w, row = i / c / w % h, image = i / c / w / h;
  float sum = 0;
  for (int64_t r = 0; r < 7; ++r)
    for (int64_t s = 0; s < 7; ++s) {
      const int64_t from_row = row + r - 3, from_column = column + s - 3;
      if (from_row < 0 || from_row >= h || from_column < 0 || from_column >= w) continue;
      sum += x[((image * h + from_row) * w + from_column) * c + channel] * filter[(r * 7 + s) * c + channel];
    }
  y[i] = sum;
}

}  // namespace

void depthwise_2_channels_side_by_side(const Tensor& x, const Tensor& filter, Tensor& y) {
  const Nhwc e = as_nhwc(x.shape());
  launch("depthwise_2_kernel", depthwise_2_kernel,
         {.blocks = dim3(static_cast<unsigned>(blocks_for(x.size(), kBlock))), .threads = dim3(kBlock)}, x.device(),
         e.n, e.h, e.w, e.c, x.data<float>(), filter.data<float>(), y.data<float>());
}

}  // namespace avs::variants
