// Computes a convolution's input gradient as an implicit product of [pixels of dx, taps * k] and [taps * k, c]. It is a
// convolution of dy with the rotated filter. With a stride, only some of the taps reach each pixel of dx; the
// pixels with the same taps form one product (a phase), so that no multiplication by zero is done. Bound: CUDA cores in
// f32, tensor cores in 16 bits, 2 r s k / (stride_h stride_w) flops per element of dx.
#include "cuda/conv2d.h"
#include "cuda/conv2d_narrow.cuh"
#include "cuda/conv2d_wmma.cuh"
#include "cuda/types.h"
#include "tensor/ops/cast.h"

namespace avs::cuda::own {
namespace {

// `narrow_filter` is w in dy's type if tensor cores compute, else undefined.
template <typename T>
void phase(const Tensor& w, const Tensor& narrow_filter, const Tensor& dy, const Window& window, const FilterTaps& taps,
           const PixelSink<T>& sink) {
  const int64_t rows = window.rows(), columns = sink.columns, depth = window.depth();
  const Device device = dy.device();
  const T* const in = dy.data<T>();
  const float* const filter = w.data<float>();
  const int c = static_cast<int>(columns), k = window.in_c;
  if (narrow_serves(window, columns))
    return narrow("conv2d_backward_input_narrow_kernel", in, window, filter, taps, sink, device);
  if constexpr (std::is_same_v<T, float>) {
    if (packs<4>(k, in) && packs<4>(c, filter))
      return for_cheapest_tile<FmaTile<128, 128, 8, 8>, FmaTile<128, 64, 8, 4>, FmaTile<128, 32, 8, 4>,
                               FmaTile<64, 16, 4, 4>>(rows, columns, [&]<typename Tile>() {
        product<Tile>("conv2d_backward_input_kernel", WindowByDepth<float, 4>{in, window},
                      FilterByRow<float, 4>{filter, taps, window.taps_h, window.taps_w, c, k}, sink, rows, columns,
                      depth, device);
      });
  } else if (narrow_filter.defined()) {
    return for_cheapest_tile<WmmaTile<T, 128, 128, 2, 4>, WmmaTile<T, 128, 64, 4, 2>, WmmaTile<T, 128, 32, 4, 1>,
                             WmmaTile<T, 128, 16, 4, 1>>(rows, columns, [&]<typename Tile>() {
      product<Tile>("conv2d_backward_input_tensor_kernel", WindowByDepth<T, 8>{in, window},
                    FilterByRow<T, 8>{narrow_filter.data<T>(), taps, window.taps_h, window.taps_w, c, k}, sink, rows,
                    columns, depth, device);
    });
  }
  product<FmaTile<64, 64, 4, 4>>("conv2d_backward_input_scalar_kernel", WindowByDepth<T, 1>{in, window},
                                 FilterByRow<float, 1>{filter, taps, window.taps_h, window.taps_w, c, k}, sink, rows,
                                 columns, depth, device);
}

}  // namespace

void conv2d_backward_input(const Tensor& w, const Tensor& dy, Conv2dSpec spec, Tensor& dx) {
  if (dx.size() == 0) return;
  for_floating("conv2d_backward_input", dy.dtype(), [&]<typename T>() {
    const bool on_tensor_cores =
        has_tensor_cores<T>(dy.device()) && packs<8>(dy.shape()[3], dy.data<T>()) && dx.shape()[3] % 8 == 0;
    const Tensor narrow_filter = on_tensor_cores ? ops::cast(w, dy.dtype()) : Tensor();
    for (int64_t a = 0; a < spec.stride_h; ++a)
      for (int64_t b = 0; b < spec.stride_w; ++b) {
        const Window window = backward_window(dx.shape(), w.shape(), dy.shape(), spec, a, b);
        if (window.rows() > 0)
          phase<T>(w, narrow_filter, dy, window, backward_taps(w.shape(), spec, a, b),
                   phase_sink<T>(dx, window, spec, a, b));
      }
  });
}

}  // namespace avs::cuda::own
