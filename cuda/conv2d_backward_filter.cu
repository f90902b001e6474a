// The filter gradient of a convolution as an implicit matrix product: output channels x (r, s, c), depth all pixels of
// dy. The result is small and the depth long, so blocks share the pixels, and their sums are added in a fixed order.
// Bound: CUDA cores in f32, tensor cores in 16 bits, 2 n p q flops per filter element; with few channels, reading x and
// dy.
#include "cuda/conv2d.h"
#include "cuda/conv2d_window.cuh"
#include "cuda/conv2d_wmma.cuh"
#include "cuda/types.h"

namespace avs::cuda::own {
namespace {

template <typename T>
void gradient(const Tensor& x, const Tensor& dy, const Conv2dSpec& spec, Tensor& dw) {
  const Window window = forward_window(x.shape(), dw.shape(), dy.shape(), spec);
  const int64_t k = dw.shape()[0], columns = dw.size() / k, pixels = window.rows();
  Tensor flat = dw.reshape({k, columns});
  const PixelSink<float> sink = dense_sink<float>(flat, Tensor(), Activation::None);
  const T *const in = x.data<T>(), *const above = dy.data<T>();
  const bool packed_k = packs<4>(k, above), packed_c = packs<4>(x.shape()[3], in);
  if constexpr (std::is_same_v<T, float>) {
    if (packed_k && packed_c)
      return for_cheapest_tile<FmaTile<128, 128, 8, 8>, FmaTile<64, 128, 4, 8>, FmaTile<32, 128, 4, 8>,
                               FmaTile<16, 64, 4, 4>>(k, columns, [&]<typename Tile>() {
        product<Tile>("conv2d_backward_filter_kernel", MatrixByRow<float, 4>{above, k, pixels, k},
                      WindowByRow<float, 4>{in, window}, sink, k, columns, pixels, x.device());
      });
  } else if (has_tensor_cores<T>(x.device()) && packs<8>(k, above) && packs<8>(x.shape()[3], in)) {
    return for_cheapest_tile<WmmaTile<T, 128, 128, 2, 4>, WmmaTile<T, 64, 128, 2, 4>, WmmaTile<T, 32, 128, 1, 4>,
                             WmmaTile<T, 16, 128, 1, 4>>(k, columns, [&]<typename Tile>() {
      product<Tile>("conv2d_backward_filter_tensor_kernel", MatrixByRow<T, 8>{above, k, pixels, k},
                    WindowByRow<T, 8>{in, window}, sink, k, columns, pixels, x.device());
    });
  }
  if (packed_k)  // the first layers: 3 or 6 channels in
    return for_cheapest_tile<FmaTile<64, 64, 4, 4>, FmaTile<16, 64, 4, 4>>(k, columns, [&]<typename Tile>() {
      product<Tile>("conv2d_backward_filter_narrow_kernel", MatrixByRow<T, 4>{above, k, pixels, k},
                    WindowByRow<T, 1>{in, window}, sink, k, columns, pixels, x.device());
    });
  product<FmaTile<64, 64, 4, 4>>("conv2d_backward_filter_scalar_kernel", MatrixByRow<T, 1>{above, k, pixels, k},
                                 WindowByRow<T, 1>{in, window}, sink, k, columns, pixels, x.device());
}

}  // namespace

void conv2d_backward_filter(const Tensor& x, const Tensor& dy, Conv2dSpec spec, Tensor& dw) {
  if (dw.size() == 0) return;
  for_floating("conv2d_backward_filter", x.dtype(), [&]<typename T>() { gradient<T>(x, dy, spec, dw); });
}

}  // namespace avs::cuda::own
