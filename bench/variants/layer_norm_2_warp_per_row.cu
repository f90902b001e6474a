// Step 2: one warp per row. Its 32 threads read 32 neighbouring elements, 128 bytes at once, and add their sums with
// five shuffles.
//
// Every fetched sector is used whole, and there are 32 times more threads. The row is still loaded three times, but the
// second and third time from L1, which holds the 4c bytes per warp. Memory moves 8 bytes an element, the minimum.
#include "bench/variants/variants.h"
#include "cuda/device.cuh"

namespace avs::variants {
namespace {

using namespace avs::cuda;

__global__ void layer_norm_2_kernel(int64_t rows, int64_t c, const float* x, const float* gain, const float* bias,
                                    float epsilon, float* y) {
  const int64_t row = first_item() / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  const float* const from = x + row * c;
  float sum = 0, squares = 0;
  for (int64_t j = lane; j < c; j += 32) sum += from[j];
  const float mean = warp_sum(sum) / static_cast<float>(c);
  for (int64_t j = lane; j < c; j += 32) squares += (from[j] - mean) * (from[j] - mean);
  const float inverse = rsqrtf(warp_sum(squares) / static_cast<float>(c) + epsilon);
  for (int64_t j = lane; j < c; j += 32) y[row * c + j] = (from[j] - mean) * inverse * gain[j] + bias[j];
}

}  // namespace

void layer_norm_2_warp_per_row(const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon, Tensor& y) {
  const int64_t c = gain.size(), rows = x.size() / c;
  launch("layer_norm_2_kernel", layer_norm_2_kernel,
         {.blocks = dim3(static_cast<unsigned>(blocks_for(rows, kBlock / 32))), .threads = dim3(kBlock)}, x.device(),
         rows, c, x.data<float>(), gain.data<float>(), bias.data<float>(), epsilon, y.data<float>());
}

}  // namespace avs::variants
