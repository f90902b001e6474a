// Convolution forward as an implicit matrix product: pixels x output channels, depth r * s * c. Bound: CUDA cores in
// f32, tensor cores in 16 bits, 2 r s c flops per output. A tile of 128 x 128 reads 16 bytes per 256 multiplications in
// f32, per 512 in 16 bits; pixels that several taps read come from the L2 cache.
#include "cuda/conv2d.h"
#include "cuda/conv2d_narrow.cuh"
#include "cuda/conv2d_wmma.cuh"
#include "cuda/types.h"
#include "tensor/ops/cast.h"

namespace avs::cuda::own {
namespace {

template <typename T>
void forward(const Tensor& x, const Tensor& w, const Tensor& bias, const Conv2dSpec& spec, Activation activation,
             Tensor& y) {
  const Window window = forward_window(x.shape(), w.shape(), y.shape(), spec);
  const int64_t rows = window.rows(), columns = w.shape()[0], depth = window.depth();
  const PixelSink<T> sink = dense_sink<T>(y, bias, activation);
  const T* const in = x.data<T>();
  const float* const filter = w.data<float>();
  if (narrow_serves(window, columns))
    return narrow("conv2d_narrow_kernel", in, window, filter, forward_taps(w.shape()), sink, x.device());
  if constexpr (std::is_same_v<T, float>) {
    if (packs<4>(x.shape()[3], in, filter))
      return for_cheapest_tile<FmaTile<128, 128, 8, 8>, FmaTile<128, 64, 8, 4>, FmaTile<128, 32, 8, 4>,
                               FmaTile<64, 16, 4, 4>>(rows, columns, [&]<typename Tile>() {
        product<Tile>("conv2d_kernel", WindowByDepth<float, 4>{in, window},
                      MatrixByDepth<float, 4>{filter, columns, depth, depth}, sink, rows, columns, depth, x.device());
      });
  } else if (has_tensor_cores<T>(x.device()) && packs<8>(x.shape()[3], in)) {
    const Tensor narrow_filter = ops::cast(w, x.dtype());
    return for_cheapest_tile<WmmaTile<T, 128, 128, 2, 4>, WmmaTile<T, 128, 64, 4, 2>, WmmaTile<T, 128, 32, 4, 1>,
                             WmmaTile<T, 128, 16, 4, 1>>(rows, columns, [&]<typename Tile>() {
      product<Tile>("conv2d_tensor_kernel", WindowByDepth<T, 8>{in, window},
                    MatrixByDepth<T, 8>{narrow_filter.data<T>(), columns, depth, depth}, sink, rows, columns, depth,
                    x.device());
    });
  }
  product<FmaTile<64, 64, 4, 4>>("conv2d_scalar_kernel", WindowByDepth<T, 1>{in, window},
                                 MatrixByDepth<float, 1>{filter, columns, depth, depth}, sink, rows, columns, depth,
                                 x.device());
}

}  // namespace

void conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec, Activation activation, Tensor& y) {
  if (y.size() == 0) return;
  for_floating("conv2d", x.dtype(), [&]<typename T>() { forward<T>(x, w, bias, spec, activation, y); });
}

}  // namespace avs::cuda::own
