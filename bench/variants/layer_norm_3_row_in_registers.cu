// Step 3: the row stays in registers. A lane of the warp loads up to 32 elements once and uses them for mean, variance
// and result.
//
// Loads: 4 bytes of x and 8 of gain and bias, which all rows share and L1 keeps. All loads of a row are in flight
// before the first is needed; step 2 waits for memory in every iteration. The array must be unrolled completely,
// because elements indexed by a variable would go to local memory: hence one kernel for each number of elements, chosen
// on the host.
//
// The engine's own kernel (cuda/layer_norm.cu) adds: loads of 16 bytes instead of 4, a quarter as many; two or more
// narrow rows per warp, so that 96 channels leave no lane idle; 16-bit types.
#include "bench/variants/variants.h"
#include "cuda/device.cuh"

namespace avs::variants {
namespace {

using namespace avs::cuda;

template <int kEach>
__global__ void layer_norm_3_kernel(int64_t rows, int64_t c, const float* x, const float* gain, const float* bias,
                                    float epsilon, float* y) {
  const int64_t row = first_item() / 32, lane = threadIdx.x % 32;
  if (row >= rows) return;
  float value[kEach], sum = 0, squares = 0;
#pragma unroll
  for (int k = 0; k < kEach; ++k) {
    const int64_t j = lane + 32 * k;
    value[k] = j < c ? x[row * c + j] : 0.0f;
    sum += value[k];
  }
  const float mean = warp_sum(sum) / static_cast<float>(c);
#pragma unroll
  for (int k = 0; k < kEach; ++k) {
    value[k] -= mean;
    if (lane + 32 * k < c) squares += value[k] * value[k];
  }
  const float inverse = rsqrtf(warp_sum(squares) / static_cast<float>(c) + epsilon);
#pragma unroll
  for (int k = 0; k < kEach; ++k) {
    const int64_t j = lane + 32 * k;
    if (j < c) y[row * c + j] = value[k] * inverse * gain[j] + bias[j];
  }
}

}  // namespace

void layer_norm_3_row_in_registers(const Tensor& x, const Tensor& gain, const Tensor& bias, float epsilon, Tensor& y) {
  const int64_t c = gain.size(), rows = x.size() / c;
  AVS_CHECK(ShapeError, c <= 1024, "layer_norm_3: expected at most 1024 channels, got ", c);
  const auto kernel = c <= 96    ? layer_norm_3_kernel<3>
                      : c <= 192 ? layer_norm_3_kernel<6>
                      : c <= 384 ? layer_norm_3_kernel<12>
                      : c <= 768 ? layer_norm_3_kernel<24>
                                 : layer_norm_3_kernel<32>;
  launch("layer_norm_3_kernel", kernel,
         {.blocks = dim3(static_cast<unsigned>(blocks_for(rows, kBlock / 32))), .threads = dim3(kBlock)}, x.device(),
         rows, c, x.data<float>(), gain.data<float>(), bias.data<float>(), epsilon, y.data<float>());
}

}  // namespace avs::variants
