#include "tensor/ops/depthwise_conv2d.h"

#include "tensor/check.h"

namespace avs::ops {
namespace {

void check_gradient(const char* op, const Shape& x, const Shape& w, const Tensor& dy, Padding padding) {
  const Shape y = depthwise_conv2d_shape(x, w, padding);
  AVS_CHECK(ShapeError, dy.shape() == y, op, ": input ", x, " and filter ", w, " give an output ", y, " but dy is ",
            dy.shape());
}

}  // namespace

Shape depthwise_conv2d_shape(const Shape& x, const Shape& w, Padding padding) {
  const Nhwc in = as_nhwc(x);
  AVS_CHECK(ShapeError, w.rank() == 3, "depthwise_conv2d: filter must be [r, s, c], got ", w);
  AVS_CHECK(ShapeError, in.c == w[2], "depthwise_conv2d: input ", x, " has ", in.c, " channels, filter ", w, " has ",
            w[2]);
  AVS_CHECK(ShapeError, padding.top >= 0 && padding.bottom >= 0 && padding.left >= 0 && padding.right >= 0,
            "depthwise_conv2d: padding must not be negative, got ", padding);
  const int64_t p = in.h + padding.top + padding.bottom - w[0] + 1, q = in.w + padding.left + padding.right - w[1] + 1;
  AVS_CHECK(ShapeError, w[0] > 0 && w[1] > 0 && p > 0 && q > 0, "depthwise_conv2d: filter ", w,
            " does not fit into input ", x, " with padding ", padding);
  return {in.n, p, q, in.c};
}

Tensor depthwise_conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Padding padding) {
  const Shape shape = depthwise_conv2d_shape(x.shape(), w.shape(), padding);
  AVS_CHECK(ShapeError, !bias.defined() || bias.shape() == Shape{shape[-1]}, "depthwise_conv2d: filter ", w.shape(),
            " needs a bias [", shape[-1], "], got ", bias.shape());
  check_same_device("depthwise_conv2d", {{"x", x}, {"w", w}, {"bias", bias}});
  Tensor y = Tensor::empty(shape, x.dtype(), x.device());
  x.device().is_cuda() ? cuda::depthwise_conv2d(x, w, bias, padding, y) : cpu::depthwise_conv2d(x, w, bias, padding, y);
  return y;
}

Tensor depthwise_conv2d_backward_input(const Shape& x, const Tensor& w, const Tensor& dy, Padding padding) {
  check_gradient("depthwise_conv2d_backward_input", x, w.shape(), dy, padding);
  check_same_device("depthwise_conv2d_backward_input", {{"dy", dy}, {"w", w}});
  Tensor dx = Tensor::empty(x, dy.dtype(), dy.device());
  dy.device().is_cuda() ? cuda::depthwise_conv2d_backward_input(w, dy, padding, dx)
                        : cpu::depthwise_conv2d_backward_input(w, dy, padding, dx);
  return dx;
}

Tensor depthwise_conv2d_backward_filter(const Tensor& x, const Shape& w, const Tensor& dy, Padding padding) {
  check_gradient("depthwise_conv2d_backward_filter", x.shape(), w, dy, padding);
  check_same_device("depthwise_conv2d_backward_filter", {{"x", x}, {"dy", dy}});
  Tensor dw = Tensor::empty(w, DType::F32, dy.device());
  dy.device().is_cuda() ? cuda::depthwise_conv2d_backward_filter(x, dy, padding, dw)
                        : cpu::depthwise_conv2d_backward_filter(x, dy, padding, dw);
  return dw;
}

}  // namespace avs::ops
