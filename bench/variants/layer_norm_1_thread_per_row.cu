// Step 1: one thread per row, the loop of a CPU.
//
// It loads each element three times (mean, variance, result): 12 bytes, and 8 more for gain and bias. The access
// pattern makes it slow: the 32 threads of a warp read 32 rows, 4c bytes apart, so one load touches 32 sectors of 32
// bytes and uses 4 of each. If L1 evicts a sector before the next seven columns are read, memory delivers eight times
// the bytes used. And there are only `rows` threads: 784 at batch 16 in ConvNeXt's last stage, on a GPU that runs a
// hundred thousand.
#include "bench/variants/variants.h"
#include "cuda/device.cuh"

namespace avs::variants {
namespace {

using namespace avs::cuda;

__global__ void layer_norm_1_kernel(int64_t rows, int64_t c, const float* x, const float* gain, const float* bias,
                                    float epsilon, float* y) {
  const int64_t row = first_item();
  if (row >= rows) return;
  const float* const from = x + row * c;
  float sum = 0, squares = 0;
  for (int64_t j = 0; j < c; ++j) sum += from[j];
  const float mean = sum / static_cast<float>(c);
  for (int64_t j = 0; j < c; ++j) squares += (from[j] - mean) * (from[j] - mean);
  const float inverse = rsqrtf(squares / static_cast<float>(c) + epsilon);
  for (int64_t j = 0; j < c; ++j) y[row * c + j] = (from[j] - mean) * inverse * gain[j] + bias[j];
}

}  // namespace

void layer_norm_1_thread_per_row(const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon, Tensor& y) {
  const int64_t c = gain.size(), rows = x.size() / c;
  launch("layer_norm_1_kernel", layer_norm_1_kernel,
         {.blocks = dim3(static_cast<unsigned>(blocks_for(rows, kBlock))), .threads = dim3(kBlock)}, x.device(), rows,
         c, x.data<float>(), gain.data<float>(), bias.data<float>(), epsilon, y.data<float>());
}

}  // namespace avs::variants
