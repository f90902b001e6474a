// Mixup of samples (Zhang et al. 2018), as one gather that serves every scheme:
//   y[m, ...] = lambda[m] * x[first[m], ...] + (1 - lambda[m]) * x[second[m], ...]
// and, on the way out, a network's preprocessing and the type that it computes in, so that a batch is written once:
//   y[m, ..., c] = scale[c] * (the above) + shift[c],  rounded to f32, bf16 or f16
// Pictures that are not of the network's size are resized as they are read: of each sample a box, by bilinear filtering
// with antialiasing as vision/resize.h defines it, which does the same on the CPU's way.
// x is f32 or u8 (pixels). lambda 1 copies. Labels are mixed by the same call. Who pairs with whom and with which
// lambda is decided in layers/mixup.h. Its gradient scatters a row of dy to the two rows it was made of,
//   dx[r, ...] = sum over m of  (first[m] == r) lambda[m] dy[m, ...] + (second[m] == r) (1 - lambda[m]) dy[m, ...]
// and adds them in the order of m.
#pragma once

#include "tensor/tensor.h"

namespace avs {

struct PictureBoxes {
  Tensor boxes = {};  // f32 [n, 5] for pixels [n, h, w, c]: left, top, width, height in pixels, and 1 to mirror left
                      // and right; undefined: x as it is
  int64_t height = 0, width = 0;  // of y
};
struct MixupOutput {
  Tensor scale = {}, shift = {};  // [c] of x's last axis; undefined: values leave as they are
  DType dtype = DType::F32;
  PictureBoxes resized = {};
};

}  // namespace avs

namespace avs::ops {
// first and second: i32 [m] with values in [0, n); lambda: f32 [m]. The CPU writes f32 only.
Tensor mixup(const Tensor& x, const Tensor& first, const Tensor& second, const Tensor& lambda,
             const MixupOutput& output = {});
Tensor mixup_backward(const Tensor& dy, const Tensor& first, const Tensor& second, const Tensor& lambda, int64_t n);
}  // namespace avs::ops

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
void mixup(const Tensor& x, const Tensor& first, const Tensor& second, const Tensor& lambda, const MixupOutput& output,
           Tensor& y);
void mixup_backward(const Tensor& dy, const Tensor& first, const Tensor& second, const Tensor& lambda, Tensor& dx);
}  // namespace avs::cpu
namespace avs::cuda {
void mixup(const Tensor& x, const Tensor& first, const Tensor& second, const Tensor& lambda, const MixupOutput& output,
           Tensor& y);
void mixup_backward(const Tensor& dy, const Tensor& first, const Tensor& second, const Tensor& lambda, Tensor& dx);
}  // namespace avs::cuda
