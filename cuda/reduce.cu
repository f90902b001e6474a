// Sums on CUDA: memory bound, one element read (4 bytes in f32).
#include "cuda/column_sum.cuh"
#include "cuda/types.h"
#include "tensor/ops/reduce.h"

namespace avs::cuda {
namespace {

// ---- sum_rows ----

template <typename T, int kColumns>
struct RowTerm {
  static constexpr int kSums = 1, kWidth = kColumns;
  const T* x;
  int64_t c;

  __device__ void begin(int64_t) {}
  __device__ void add(int64_t row, int64_t column, float (&sums)[kSums][kWidth]) {
    const Pack<T, kWidth> pack = load_pack<kWidth>(x + row * c + column);
#pragma unroll
    for (int k = 0; k < kWidth; ++k) sums[0][k] += to_float(pack.at[k]);
  }
};

// ---- sum_squares: per-block sums in double, cut by n alone, then one block adds them ----

constexpr int64_t kMaxBlocks = 1024, kItemsPerThread = 16;

template <typename T>
__global__ void __launch_bounds__(kBlock)
    squares_kernel(int64_t n, const T* __restrict__ x, double* __restrict__ partial) {
  double sum = 0;
  for (int64_t i = first_item(); i < n; i += item_stride()) {
    const auto value = static_cast<double>(to_float(x[i]));
    sum += value * value;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kBlock)
    total_kernel(int64_t parts, const double* __restrict__ partial, float* __restrict__ y) {
  double sum = 0;
  for (int64_t p = threadIdx.x; p < parts; p += kBlock) sum += partial[p];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *y = static_cast<float>(sum);
}

// ---- find_non_finite: the smallest index over all threads; integers, so the order does not matter ----

template <typename T>
__global__ void non_finite_kernel(int64_t n, const T* __restrict__ x, unsigned long long* __restrict__ first) {
  for (int64_t i = first_item(); i < n; i += item_stride())
    if ((__float_as_uint(to_float(x[i])) & 0x7f800000u) == 0x7f800000u) {  // all exponent bits set: NaN or infinity
      atomicMin(first, static_cast<unsigned long long>(i));
      return;
    }
}

}  // namespace

// ---- entry points ----

void sum_rows(const Tensor& x, Tensor& y) {
  const int64_t c = y.size(), rows = x.size() / c;
  for_floating("sum_rows", x.dtype(), [&]<typename T>() {
    const T* const from = x.data<T>();
    const auto run = [&](auto term) { sum_columns("sum_rows", rows, c, x.device(), term, {{y.data<float>()}}); };
    packs<4>(c, from) ? run(RowTerm<T, 4>{from, c}) : run(RowTerm<T, 1>{from, c});
  });
}

void sum_squares(const Tensor& x, Tensor& y) {
  const int64_t parts = std::clamp<int64_t>(blocks_for(x.size(), kBlock * kItemsPerThread), 1, kMaxBlocks);
  Tensor scratch = Tensor::empty({parts * static_cast<int64_t>(sizeof(double))}, DType::U8, x.device());
  auto* const partial = reinterpret_cast<double*>(scratch.raw());
  for_floating("sum_squares", x.dtype(), [&]<typename T>() {
    launch("squares_kernel", squares_kernel<T>, {.blocks = dim3(static_cast<unsigned>(parts)), .threads = dim3(kBlock)},
           x.device(), x.size(), x.data<T>(), partial);
  });
  launch("total_kernel", total_kernel, {.blocks = dim3(1), .threads = dim3(kBlock)}, x.device(), parts, partial,
         y.data<float>());
}

void find_non_finite(const Tensor& x, Tensor& first) {
  // all bits set, the largest index: none found
  check(cudaMemsetAsync(first.raw(), 0xff, first.bytes(), stream(x.device())), "find_non_finite");
  for_floating("find_non_finite", x.dtype(), [&]<typename T>() {
    launch("non_finite_kernel", non_finite_kernel<T>, over(x.size(), x.device()), x.device(), x.size(), x.data<T>(),
           reinterpret_cast<unsigned long long*>(first.raw()));
  });
}

}  // namespace avs::cuda
