#include "tensor/ops/conv2d.h"

#include "tensor/check.h"

namespace avs {

std::ostream& operator<<(std::ostream& out, const Padding& padding) {
  return out << "{top " << padding.top << ", bottom " << padding.bottom << ", left " << padding.left << ", right "
             << padding.right << "}";
}

FixedFilter::FixedFilter(Tensor w, Tensor bias) : w_(std::move(w)), bias_(std::move(bias)) {
  if (!w_.device().is_cuda()) layouts_ = cpu::filter_layouts();
}

namespace ops {
namespace {

void check_gradient(const char* op, const Shape& x, const Shape& w, const Tensor& dy, Conv2dSpec spec) {
  const Shape y = conv2d_shape(x, w, spec);
  AVS_CHECK(ShapeError, dy.shape() == y, op, ": input ", x, " and filter ", w, " give an output ", y, " but dy is ",
            dy.shape());
}

Tensor checked_output(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec, Activation activation) {
  const Shape shape = conv2d_shape(x.shape(), w.shape(), spec);
  AVS_CHECK(ShapeError, !bias.defined() || bias.shape() == Shape{shape[-1]}, "conv2d: filter ", w.shape(),
            " needs a bias [", shape[-1], "], got ", bias.shape());
  AVS_CHECK(ShapeError, activation != Activation::Gelu, "conv2d: the activation must be None or Relu");
  check_same_device("conv2d", {{"x", x}, {"w", w}, {"bias", bias}});
  return Tensor::empty(shape, x.dtype(), x.device());
}

}  // namespace

Shape conv2d_shape(const Shape& x, const Shape& w, Conv2dSpec spec) {
  const Nhwc in = as_nhwc(x);
  AVS_CHECK(ShapeError, w.rank() == 4, "conv2d: filter must be [k, r, s, c], got ", w);
  AVS_CHECK(ShapeError, spec.stride_h >= 1 && spec.stride_w >= 1, "conv2d: strides must be at least 1, got ",
            spec.stride_h, " and ", spec.stride_w);
  const Padding& pad = spec.padding;
  AVS_CHECK(ShapeError, pad.top >= 0 && pad.bottom >= 0 && pad.left >= 0 && pad.right >= 0,
            "conv2d: padding must not be negative, got ", pad);
  AVS_CHECK(ShapeError, in.c == w[3], "conv2d: input ", x, " has ", in.c, " channels, filter ", w, " takes ", w[3]);
  const int64_t rows = in.h + pad.top + pad.bottom - w[1], columns = in.w + pad.left + pad.right - w[2];
  AVS_CHECK(ShapeError, w[0] > 0 && w[1] > 0 && w[2] > 0 && rows >= 0 && columns >= 0, "conv2d: filter ", w,
            " does not fit into input ", x, " with padding ", pad);
  return {in.n, rows / spec.stride_h + 1, columns / spec.stride_w + 1, w[0]};
}

Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec, Activation activation) {
  Tensor y = checked_output(x, w, bias, spec, activation);
  x.device().is_cuda() ? cuda::conv2d(x, w, bias, spec, activation, y) : cpu::conv2d(x, w, bias, spec, activation, y);
  return y;
}

Tensor conv2d(const Tensor& x, const FixedFilter& filter, Conv2dSpec spec, Activation activation) {
  Tensor y = checked_output(x, filter.w(), filter.bias(), spec, activation);
  x.device().is_cuda() ? cuda::conv2d(x, filter.w(), filter.bias(), spec, activation, y)
                       : cpu::conv2d(x, filter, spec, activation, y);
  return y;
}

Tensor conv2d_backward_input(const Shape& x, const Tensor& w, const Tensor& dy, Conv2dSpec spec) {
  check_gradient("conv2d_backward_input", x, w.shape(), dy, spec);
  check_same_device("conv2d_backward_input", {{"dy", dy}, {"w", w}});
  Tensor dx = Tensor::empty(x, dy.dtype(), dy.device());
  dy.device().is_cuda() ? cuda::conv2d_backward_input(w, dy, spec, dx) : cpu::conv2d_backward_input(w, dy, spec, dx);
  return dx;
}

Tensor conv2d_backward_filter(const Tensor& x, const Shape& w, const Tensor& dy, Conv2dSpec spec) {
  check_gradient("conv2d_backward_filter", x.shape(), w, dy, spec);
  check_same_device("conv2d_backward_filter", {{"x", x}, {"dy", dy}});
  Tensor dw = Tensor::empty(w, DType::F32, dy.device());
  dy.device().is_cuda() ? cuda::conv2d_backward_filter(x, dy, spec, dw) : cpu::conv2d_backward_filter(x, dy, spec, dw);
  return dw;
}

}  // namespace ops
}  // namespace avs
