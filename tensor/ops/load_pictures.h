// A batch of pictures as a network takes it, in one pass:
//   y[m, i, j, c] = scale[c] * (lambda[m] * p(first[m]) + (1 - lambda[m]) * p(second[m]))[i, j, c] + shift[c]
// rounded to f32, bf16 or f16. p(k) is picture k or, where there are boxes, its box on height x width pixels.
//
// A box is resized by a bilinear filter with antialiasing: a triangle whose half width is max(1, input pixels per output
// pixel), normalised, centres at (i + 1/2) * scale; pixels outside the box do not contribute. Pillow's BILINEAR with a
// box and torch's interpolate(mode="bilinear", antialias=True) define it alike.
#pragma once

#include <vector>

#include "tensor/ops/mixup.h"
#include "tensor/tensor.h"

namespace avs {

struct PictureBox {  // in pixels; may begin between two pixels
  float left = 0, top = 0, width = 0, height = 0;
  float mirrored = 0;  // 1: left and right change places
};

Tensor to_tensor(const std::vector<PictureBox>& boxes);  // f32 [n, 5]

struct PictureBoxes {
  Tensor boxes = {};              // f32 [n, 5], a PictureBox each; undefined: the pictures as they are
  int64_t height = 0, width = 0;  // y's
  bool defined() const { return boxes.defined(); }
};

// y = scale * pixel + shift for each channel, cast: a network's preprocessing.
struct PixelScale {
  Tensor scale = {}, shift = {};  // f32 [c]; undefined: none
  DType dtype = DType::F32;       // y's
};

}  // namespace avs

namespace avs::ops {
// pixels: u8 [n, h, w, c], values 0..255, or f32 without boxes. The CPU writes f32 only. An undefined plan keeps the
// rows as they are. ShapeError: a box is empty or leaves the picture (the CPU looks; a GPU takes what is inside).
Tensor load_pictures(const Tensor& pixels, const PictureBoxes& boxes, const MixupPlan& plan, const PixelScale& scale);
}  // namespace avs::ops

// Each backend provides these. Outputs arrive allocated and checked.
namespace avs::cpu {
void load_pictures(const Tensor& pixels, const PictureBoxes& boxes, const MixupPlan& plan, const PixelScale& scale,
                   Tensor& y);
}  // namespace avs::cpu
namespace avs::cuda {
void load_pictures(const Tensor& pixels, const PictureBoxes& boxes, const MixupPlan& plan, const PixelScale& scale,
                   Tensor& y);
}  // namespace avs::cuda
