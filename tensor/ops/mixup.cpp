#include "tensor/ops/mixup.h"

#include "tensor/check.h"

namespace avs::ops {
namespace {

// `n`: how many samples x has.
void check_index(const Tensor& x, int64_t n, const char* name, const Tensor& index) {
  AVS_CHECK(ShapeError, index.defined() && index.dtype() == DType::I32 && index.shape().rank() == 1, "mixup: ", name,
            " must be i32 [m], got ", index.defined() ? str(index.dtype(), " ", index.shape()) : "an undefined tensor");
  check_same_device("mixup", {{"x", x}, {name, index}});
  if (index.device().is_cuda()) return;  // looking would make every step wait for the device
  for (int64_t i = 0; i < index.size(); ++i) {
    const int32_t row = index.data<int32_t>()[i];
    AVS_CHECK(ShapeError, row >= 0 && row < n, "mixup: ", name, "[", i, "] is ", row, ", x ", x.shape().with(0, n),
              " has ", n, " samples");
  }
}

void check_pairs(const Tensor& x, int64_t n, const Tensor& first, const Tensor& second, const Tensor& lambda) {
  check_index(x, n, "first", first);
  check_index(x, n, "second", second);
  check_f32("mixup", "lambda", lambda);
  check_same_device("mixup", {{"x", x}, {"lambda", lambda}});
  AVS_CHECK(ShapeError, first.shape() == second.shape() && first.shape() == lambda.shape(), "mixup: first is ",
            first.shape(), ", second is ", second.shape(), ", lambda is ", lambda.shape(), "; they must agree");
}

void check_output(const Tensor& x, const MixupOutput& output) {
  AVS_CHECK(ShapeError, output.scale.defined() == output.shift.defined(),
            "mixup: scale and shift come together, one of them is undefined");
  if (output.scale.defined()) {
    AVS_CHECK(ShapeError, x.shape().rank() >= 2, "mixup: x ", x.shape(), " has no channels to scale");
    check_per_channel("mixup", x, "scale", output.scale);
    check_per_channel("mixup", x, "shift", output.shift);
  }
  const bool known = output.dtype == DType::F32 || output.dtype == DType::BF16 || output.dtype == DType::F16;
  AVS_CHECK(UsageError, known && (x.device().is_cuda() || output.dtype == DType::F32), "mixup: ", x.device(),
            " writes no ", output.dtype);
}

void check_boxes(const Tensor& x, const PictureBoxes& resized) {
  AVS_CHECK(ShapeError, x.dtype() == DType::U8 && x.shape().rank() == 4,
            "mixup: boxes are of pixels u8 [n, h, w, c], x is ", x.dtype(), " ", x.shape());
  check_f32("mixup", "boxes", resized.boxes);
  AVS_CHECK(ShapeError, resized.boxes.shape() == Shape({x.shape()[0], 5}) && resized.boxes.device() == x.device(),
            "mixup: boxes must be [", x.shape()[0], ", 5] on ", x.device(), ", got ", resized.boxes.shape(), " on ",
            resized.boxes.device());
  AVS_CHECK(ShapeError, resized.height > 0 && resized.width > 0 && x.size() > 0, "mixup: boxes of ", x.shape(), " to ",
            resized.height, " x ", resized.width);
}

Shape shape_of(const Tensor& x, int64_t m, const MixupOutput& output) {
  if (!output.resized.boxes.defined()) return x.shape().with(0, m);
  return {m, output.resized.height, output.resized.width, x.shape()[3]};
}

}  // namespace

Tensor mixup(const Tensor& x, const Tensor& first, const Tensor& second, const Tensor& lambda,
             const MixupOutput& output) {
  AVS_CHECK(ShapeError, x.defined() && x.shape().rank() >= 1 && (x.dtype() == DType::F32 || x.dtype() == DType::U8),
            "mixup: x must be f32 or u8 with at least one axis, got ",
            x.defined() ? str(x.dtype(), " ", x.shape()) : "an undefined tensor");
  check_pairs(x, x.shape()[0], first, second, lambda);
  check_output(x, output);
  if (output.resized.boxes.defined()) check_boxes(x, output.resized);
  Tensor y = Tensor::empty(shape_of(x, first.size(), output), output.dtype, x.device());
  x.device().is_cuda() ? cuda::mixup(x, first, second, lambda, output, y)
                       : cpu::mixup(x, first, second, lambda, output, y);
  return y;
}

Tensor mixup_backward(const Tensor& dy, const Tensor& first, const Tensor& second, const Tensor& lambda, int64_t n) {
  check_f32("mixup_backward", "dy", dy);
  AVS_CHECK(ShapeError, dy.shape().rank() >= 1 && n >= 0 && dy.shape()[0] == lambda.size(), "mixup_backward: dy is ",
            dy.shape(), " of ", n, " samples, lambda is ", lambda.shape());
  check_pairs(dy, n, first, second, lambda);
  Tensor dx = Tensor::empty(dy.shape().with(0, n), DType::F32, dy.device());
  dy.device().is_cuda() ? cuda::mixup_backward(dy, first, second, lambda, dx)
                        : cpu::mixup_backward(dy, first, second, lambda, dx);
  return dx;
}

}  // namespace avs::ops
