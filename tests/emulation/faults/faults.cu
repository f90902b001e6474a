// A block per row sums the row: partial sums in shared memory, a tree over the block, the last warp by shuffles. Around
// that, eight copies with one fault each, as they are really made: a barrier forgotten in the tree, a guard dropped at the
// tail, and so on.
#include "tests/emulation/faults/faults.h"

#include "cuda/device.cuh"

namespace avs::faults {
namespace {

using namespace avs::cuda;

constexpr int kThreads = 64;

__global__ void row_sum_kernel(int64_t columns, const float* __restrict__ x, float* __restrict__ y) {
  __shared__ float partial[kThreads];
  float sum = 0;
  for (int64_t c = threadIdx.x; c < columns; c += kThreads) sum += x[blockIdx.x * columns + c];
  partial[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = warp_sum(partial[threadIdx.x] + partial[threadIdx.x + 32]);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
  }
}

__global__ void removed_barrier_kernel(int64_t columns, const float* __restrict__ x, float* __restrict__ y) {
  __shared__ float partial[kThreads];
  float sum = 0;
  for (int64_t c = threadIdx.x; c < columns; c += kThreads) sum += x[blockIdx.x * columns + c];
  partial[threadIdx.x] = 0;
  __syncthreads();
  partial[threadIdx.x] = sum;
  if (threadIdx.x < 32) {
    sum = warp_sum(partial[threadIdx.x] + partial[threadIdx.x + 32]);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
  }
}

__global__ void dropped_guard_kernel(int64_t columns, const float* __restrict__ x, float* __restrict__ y) {
  __shared__ float partial[kThreads];
  float sum = 0;
  for (int64_t c = 0; c < (columns + kThreads - 1) / kThreads * kThreads; c += kThreads)
    sum += x[blockIdx.x * columns + c + threadIdx.x];  // no question whether c + threadIdx.x is still in the row
  partial[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = warp_sum(partial[threadIdx.x] + partial[threadIdx.x + 32]);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
  }
}

__global__ void off_by_one_kernel(int64_t n, const float* __restrict__ x, float* __restrict__ y) {
  for (int64_t i = first_item(); i <= n; i += item_stride()) y[i % (n / 4)] = x[i];
}

__global__ void wrong_mask_kernel(int64_t columns, const float* __restrict__ x, float* __restrict__ y) {
  float value = threadIdx.x < columns ? x[blockIdx.x * columns + threadIdx.x] : 0;
  if (threadIdx.x < 16)  // half a warp shuffles and names all of it
    for (int lanes = 8; lanes > 0; lanes /= 2) value += __shfl_xor_sync(kFullWarp, value, lanes);
  if (threadIdx.x == 0) y[blockIdx.x] = value;
}

__global__ void misaligned_load_kernel(int64_t columns, const float* __restrict__ x, float* __restrict__ y) {
  const Pack<float, 4> four = load_pack<4>(x + blockIdx.x * columns);  // rows of 77 floats begin anywhere
  if (threadIdx.x == 0) y[blockIdx.x] = four.at[0] + four.at[1] + four.at[2] + four.at[3];
}

__global__ void missing_initialisation_kernel(int64_t columns, const float* __restrict__ x, float* __restrict__ y) {
  __shared__ float partial[kThreads];
  if (threadIdx.x < columns / 2) partial[threadIdx.x] = x[blockIdx.x * columns + threadIdx.x];  // the others stay as they are
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < kThreads; ++i) sum += partial[i];
  if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

__global__ void race_between_blocks_kernel(int64_t columns, const float* __restrict__ x, float* __restrict__ y) {
  if (threadIdx.x == 0) y[blockIdx.x / 2] += x[blockIdx.x * columns];  // two blocks add to one place
}

__global__ void overflow_kernel(int columns, const float* __restrict__ x, float* __restrict__ y) {
  const int index = (static_cast<int>(blockIdx.x) + 70000) * columns * 1000;  // fits 64 bits, not 32
  if (threadIdx.x == 0) y[blockIdx.x] = x[index < 0 ? 0 : index % 64];
}

__global__ void divergent_barrier_kernel(int64_t columns, const float* __restrict__ x, float* __restrict__ y) {
  __shared__ float partial[kThreads];
  partial[threadIdx.x] = threadIdx.x < columns ? x[blockIdx.x * columns + threadIdx.x] : 0;
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    partial[threadIdx.x] += 1;
    __syncthreads();
  }
  if (threadIdx.x == 0) y[blockIdx.x] = partial[1];
}

template <typename Count>
void run(const char* name, void (*kernel)(Count, const float*, float*), const Tensor& x, Tensor& y, Count columns) {
  const auto rows = static_cast<unsigned>(x.shape()[0]);
  launch(name, kernel, Grid{dim3(rows), dim3(kThreads)}, x.device(), columns, x.data<float>(), y.data<float>());
}

#define AVS_FAULT(kernel) [](const Tensor& x, Tensor& y) { run(#kernel, kernel, x, y, x.shape()[1]); }

const Fault kFaults[] = {
    {"a removed barrier", AVS_FAULT(removed_barrier_kernel), "a race: thread"},
    {"a dropped guard", AVS_FAULT(dropped_guard_kernel), "reads 4 bytes out of bounds"},
    {"an off-by-one tail",
     [](const Tensor& x, Tensor& y) {
       launch("off_by_one_kernel", off_by_one_kernel, Grid{dim3(1), dim3(1)}, x.device(), x.size(), x.data<float>(),
              y.data<float>());
     },
     "reads 4 bytes out of bounds, 0 bytes past the end of a tensor"},
    {"a wrong mask", AVS_FAULT(wrong_mask_kernel), "divergent flow"},
    {"a misaligned load", AVS_FAULT(misaligned_load_kernel), "misaligned access"},
    {"a missing initialisation", AVS_FAULT(missing_initialisation_kernel), "reads uninitialised shared memory"},
    {"a race between blocks", AVS_FAULT(race_between_blocks_kernel), "a race: thread 0 of block"},
    {"an overflow of a 32-bit index",
     [](const Tensor& x, Tensor& y) { run("overflow_kernel", overflow_kernel, x, y, static_cast<int>(x.shape()[1])); },
     "signed overflow in a multiplication"},
    {"a barrier in divergent flow", AVS_FAULT(divergent_barrier_kernel), "divergent flow"},
};

}  // namespace

void row_sums(const Tensor& x, Tensor& y) { run("row_sum_kernel", row_sum_kernel, x, y, x.shape()[1]); }
const Fault* begin() { return std::begin(kFaults); }
const Fault* end() { return std::end(kFaults); }

}  // namespace avs::faults
