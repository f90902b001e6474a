// Step 1: one thread per element of C, as in the formula.
//
// For each multiply-add a warp issues two loads: one element of A, the same for all lanes, and 32 neighbours of B. Each
// takes L1 one clock, in which it could deliver 128 bytes: 8 bytes per multiply-add and lane. A multiprocessor does 128
// multiply-adds in a clock, so 1 byte each would keep up. Behind L1, every row of blocks reads all of B.
#include "bench/variants/variants.h"
#include "cuda/device.cuh"

namespace avs::variants {
namespace {

using namespace avs::cuda;

__global__ void matmul_1_kernel(int64_t m, int64_t n, int64_t k, const float* a, const float* b, float* c) {
  const int64_t i = first_item();
  if (i >= m * n) return;
  const int64_t row = i / n, column = i % n;
  float sum = 0;
  for (int64_t d = 0; d < k; ++d) sum += a[row * k + d] * b[d * n + column];
  c[i] = sum;
}

}  // namespace

void matmul_1_thread_per_output(const Tensor& a, const Tensor& b, Tensor& c) {
  const int64_t m = a.shape()[0], k = a.shape()[1], n = b.shape()[1];
  launch("matmul_1_kernel", matmul_1_kernel,
         {.blocks = dim3(static_cast<unsigned>(blocks_for(m * n, kBlock))), .threads = dim3(kBlock)}, c.device(), m, n,
         k, a.data<float>(), b.data<float>(), c.data<float>());
}

}  // namespace avs::variants
