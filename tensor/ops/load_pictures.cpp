#include "tensor/ops/load_pictures.h"

#include "tensor/check.h"

namespace avs {

Tensor to_tensor(const std::vector<PictureBox>& boxes) {
  static_assert(sizeof(PictureBox) == 5 * sizeof(float));
  return Tensor::from({static_cast<int64_t>(boxes.size()), 5}, std::span(&boxes.data()->left, 5 * boxes.size()));
}

}  // namespace avs

namespace avs::ops {
namespace {

void check_scale(const Tensor& x, const PixelScale& scale) {
  AVS_CHECK(ShapeError, scale.scale.defined() == scale.shift.defined(),
            "load_pictures: scale and shift come together, one of them is undefined");
  if (scale.scale.defined()) {
    check_per_channel("load_pictures", x, "scale", scale.scale);
    check_per_channel("load_pictures", x, "shift", scale.shift);
  }
  const bool known = scale.dtype == DType::F32 || scale.dtype == DType::BF16 || scale.dtype == DType::F16;
  AVS_CHECK(UsageError, known && (x.device().is_cuda() || scale.dtype == DType::F32), "load_pictures: ", x.device(),
            " writes no ", scale.dtype);
}

void check_boxes(const Tensor& x, const PictureBoxes& b) {
  AVS_CHECK(ShapeError, x.dtype() == DType::U8, "load_pictures: boxes are of pixels u8 [n, h, w, c], x is ", x.dtype(),
            " ", x.shape());
  check_f32("load_pictures", "boxes", b.boxes);
  AVS_CHECK(ShapeError, b.boxes.shape() == Shape({x.shape()[0], 5}) && b.boxes.device() == x.device(),
            "load_pictures: boxes must be [", x.shape()[0], ", 5] on ", x.device(), ", got ", b.boxes.shape(), " on ",
            b.boxes.device());
  AVS_CHECK(ShapeError, b.height > 0 && b.width > 0 && x.size() > 0, "load_pictures: boxes of ", x.shape(), " to ",
            b.height, " x ", b.width);
}

}  // namespace

Tensor load_pictures(const Tensor& pixels, const PictureBoxes& boxes, const MixupPlan& plan, const PixelScale& scale) {
  const bool are_pixels = pixels.defined() && (pixels.dtype() == DType::F32 || pixels.dtype() == DType::U8);
  AVS_CHECK(ShapeError, are_pixels && pixels.shape().rank() == 4,
            "load_pictures: x must be u8 or f32 pixels [n, h, w, c], got ",
            pixels.defined() ? str(pixels.dtype(), " ", pixels.shape()) : "an undefined tensor");
  if (plan.defined()) check_plan("load_pictures", pixels, plan);
  check_scale(pixels, scale);
  if (boxes.defined()) check_boxes(pixels, boxes);
  const Shape& in = pixels.shape();
  const int64_t m = plan.defined() ? plan.rows() : in[0];
  Tensor y = Tensor::empty(boxes.defined() ? Shape{m, boxes.height, boxes.width, in[3]} : in.with(0, m), scale.dtype,
                           pixels.device());
  pixels.device().is_cuda() ? cuda::load_pictures(pixels, boxes, plan, scale, y)
                            : cpu::load_pictures(pixels, boxes, plan, scale, y);
  return y;
}

}  // namespace avs::ops
