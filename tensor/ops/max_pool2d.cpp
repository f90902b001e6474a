#include "tensor/ops/max_pool2d.h"

#include "tensor/check.h"

namespace avs::ops {

Shape pool2d_shape(const Shape& x, Pool2dSpec spec) {
  const Nhwc in = as_nhwc(x);
  const Padding& pad = spec.padding;
  AVS_CHECK(ShapeError, spec.window_h >= 1 && spec.window_w >= 1 && spec.stride_h >= 1 && spec.stride_w >= 1,
            "pool2d: window and strides must be at least 1, got a window of ", spec.window_h, "x", spec.window_w,
            " and strides ", spec.stride_h, " and ", spec.stride_w);
  // A window wholly inside the padding would have no element for its max or mean.
  AVS_CHECK(ShapeError,
            pad.top >= 0 && pad.bottom >= 0 && pad.left >= 0 && pad.right >= 0 && pad.top < spec.window_h &&
                pad.bottom < spec.window_h && pad.left < spec.window_w && pad.right < spec.window_w,
            "pool2d: padding ", pad, " must be smaller than the window of ", spec.window_h, "x", spec.window_w);
  const int64_t rows = in.h + pad.top + pad.bottom - spec.window_h,
                columns = in.w + pad.left + pad.right - spec.window_w;
  AVS_CHECK(ShapeError, in.h >= 1 && in.w >= 1 && rows >= 0 && columns >= 0, "pool2d: a window of ", spec.window_h, "x",
            spec.window_w, " does not fit into input ", x, " with padding ", pad);
  return {in.n, rows / spec.stride_h + 1, columns / spec.stride_w + 1, in.c};
}

Tensor max_pool2d(const Tensor& x, Pool2dSpec spec) {
  check_activation("max_pool2d", "x", x);
  Tensor y = Tensor::empty(pool2d_shape(x.shape(), spec), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::max_pool2d(x, spec, y) : cpu::max_pool2d(x, spec, y);
  return y;
}

Tensor max_pool2d_backward(const Tensor& x, const Tensor& dy, Pool2dSpec spec) {
  const Shape y = pool2d_shape(x.shape(), spec);
  AVS_CHECK(ShapeError, dy.shape() == y, "max_pool2d_backward: input ", x.shape(), " gives an output ", y,
            " but dy is ", dy.shape());
  check_activation("max_pool2d_backward", "x", x);
  check_same_device("max_pool2d_backward", {{"x", x}, {"dy", dy}});
  Tensor dx = Tensor::empty(x.shape(), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::max_pool2d_backward(x, dy, spec, dx) : cpu::max_pool2d_backward(x, dy, spec, dx);
  return dx;
}

}  // namespace avs::ops
