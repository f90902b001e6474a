// Softmax on CUDA: memory bound, two elements moved per element. One warp per row; a row has about ten
// classes and comes from the L1 cache at its second read.
#include "cuda/softmax_row.cuh"
#include "cuda/types.h"
#include "tensor/ops/softmax.h"

namespace avs::cuda {
namespace {

template <typename T>
__global__ void __launch_bounds__(kBlock)
    softmax_kernel(int64_t rows, int64_t c, const T* __restrict__ x, T* __restrict__ y) {
  for (int64_t row = first_row(); row < rows; row += row_stride()) {
    const T* const in = x + row * c;
    const RowScale scale = row_scale(in, c);
    const float factor = 1.0f / scale.sum;
    for (int64_t k = lane_of_row(); k < c; k += 32)
      y[row * c + k] = from_float<T>(expf(to_float(in[k]) - scale.largest) * factor);
  }
}

}  // namespace

void softmax(const Tensor& x, Tensor& y) {
  const int64_t c = x.shape()[-1], rows = x.size() / c;
  for_floating("softmax", x.dtype(), [&]<typename T>() {
    launch("softmax", softmax_kernel<T>, over_rows(rows, x.device()), x.device(), rows, c, x.data<T>(), y.data<T>());
  });
}

}  // namespace avs::cuda
