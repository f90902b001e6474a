// Step 1: one thread per output, numbered by image, channel and pixel, like the loops of the formula.
//
// It loads 49 inputs and 49 weights for 49 multiply-adds: 392 bytes an output from L1. Worse, neighbouring threads have
// neighbouring pixels of one channel, which are 4c bytes apart: each load of a warp touches 32 sectors and uses 4 bytes
// of each, so x costs eight times 196 bytes an output.
#include "bench/variants/variants.h"
#include "cuda/device.cuh"

namespace avs::variants {
namespace {

using namespace avs::cuda;

__global__ void depthwise_1_kernel(int64_t n, int64_t h, int64_t w, int64_t c, const float* x, const float* filter,
                                   float* y) {
  const int64_t i = first_item();
  if (i >= n * h * w * c) return;
  const int64_t column = i % w, row = i / w % h, channel = i / w / h % c, image = i / w / h / c;
  float sum = 0;
  for (int64_t r = 0; r < 7; ++r)
    for (int64_t s = 0; s < 7; ++s) {
      const int64_t from_row = row + r - 3, from_column = column + s - 3;
      if (from_row < 0 || from_row >= h || from_column < 0 || from_column >= w) continue;
      sum += x[((image * h + from_row) * w + from_column) * c + channel] * filter[(r * 7 + s) * c + channel];
    }
  y[((image * h + row) * w + column) * c + channel] = sum;
}

}  // namespace

void depthwise_1_thread_per_output(const Tensor& x, const Tensor& filter, Tensor& y) {
  const Nhwc e = as_nhwc(x.shape());
  launch("depthwise_1_kernel", depthwise_1_kernel,
         {.blocks = dim3(static_cast<unsigned>(blocks_for(x.size(), kBlock))), .threads = dim3(kBlock)}, x.device(),
         e.n, e.h, e.w, e.c, x.data<float>(), filter.data<float>(), y.data<float>());
}

}  // namespace avs::variants
