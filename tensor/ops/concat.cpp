#include "tensor/ops/concat.h"

#include "tensor/error.h"

namespace avs::ops {

Tensor concat(const std::vector<Tensor>& parts) {
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
  Tensor y = Tensor::empty(head.shape().with(-1, channels), head.dtype(), head.device());
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

}  // namespace avs::ops
