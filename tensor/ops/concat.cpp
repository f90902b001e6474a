#include "tensor/ops/concat.h"

#include "tensor/error.h"

namespace avs::ops {

Shape concat_shape(const std::vector<Tensor>& parts) {
  AVS_CHECK(ShapeError, !parts.empty(), "concat: no tensors given");
  const Tensor& head = parts.front();
  AVS_CHECK(ShapeError, head.defined() && head.shape().rank() >= 1, "concat: part 0 must have at least one axis");
  int64_t channels = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const Tensor& part = parts[i];
    AVS_CHECK(ShapeError, part.defined(), "concat: part ", i, " is undefined");
    AVS_CHECK(ShapeError,
              part.shape().rank() == head.shape().rank() && part.shape().with(-1, head.shape()[-1]) == head.shape(),
              "concat: part ", i, " is ", part.shape(), ", part 0 is ", head.shape(),
              "; all axes but the last must agree");
    AVS_CHECK(ShapeError, part.dtype() == head.dtype() && part.device() == head.device(), "concat: part ", i, " is ",
              part.dtype(), " on ", part.device(), ", part 0 is ", head.dtype(), " on ", head.device());
    channels += part.shape()[-1];
  }
  return head.shape().with(-1, channels);
}

Tensor concat(const std::vector<Tensor>& parts) {
  const Shape shape = concat_shape(parts);
  Tensor y = Tensor::empty(shape, parts.front().dtype(), parts.front().device());
  y.device().is_cuda() ? cuda::concat(parts, y) : cpu::concat(parts, y);
  return y;
}

Tensor slice_channels(const Tensor& x, int64_t first, int64_t count) {
  AVS_CHECK(ShapeError, x.defined() && x.shape().rank() >= 1, "slice_channels: x must have at least one axis");
  AVS_CHECK(ShapeError, first >= 0 && count >= 1 && first + count <= x.shape()[-1], "slice_channels: channels ", first,
            " to ", first + count, " of ", x.shape());
  Tensor y = Tensor::empty(x.shape().with(-1, count), x.dtype(), x.device());
  x.device().is_cuda() ? cuda::slice_channels(x, first, y) : cpu::slice_channels(x, first, y);
  return y;
}

void write_channels(const Tensor& x, int64_t first, Tensor& y) {
  AVS_CHECK(ShapeError, x.defined() && y.defined() && x.shape().rank() >= 1, "write_channels: x and y must be given");
  AVS_CHECK(ShapeError,
            x.shape().rank() == y.shape().rank() && y.shape().with(-1, x.shape()[-1]) == x.shape() && first >= 0 &&
                first + x.shape()[-1] <= y.shape()[-1],
            "write_channels: ", x.shape(), " to channels ", first, " to ", first + x.shape()[-1], " of ", y.shape());
  AVS_CHECK(ShapeError, x.dtype() == y.dtype() && x.device() == y.device(), "write_channels: x is ", x.dtype(), " on ",
            x.device(), ", y is ", y.dtype(), " on ", y.device());
  y.device().is_cuda() ? cuda::write_channels(x, first, y) : cpu::write_channels(x, first, y);
}

}  // namespace avs::ops
