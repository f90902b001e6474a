// 2-D cross-correlation, NHWC activations, KRSC filters:
//   y[n,p,q,k] = sum over r,s,c of  x[n, p*stride_h + r - top, q*stride_w + s - left, c] * w[k,r,s,c]  +  bias[k]
// Outside its extents x reads as 0.
//
// Convolution is three operations: forward and both gradients have their own library calls, workspaces and benchmarks.
// A parameter of type Shape is a tensor whose values are not needed: backward-input reads w and dy, backward-filter
// reads x and dy. The bias gradient is sum_rows(dy) (reduce.h).
#pragma once

#include <memory>

#include "tensor/ops/activation.h"
#include "tensor/tensor.h"

namespace avs {

struct Padding {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  static Padding all(int64_t extent) { return {extent, extent, extent, extent}; }
  // Keras' "same" at stride 1: an even filter pads one more at the bottom and right than at the top and left.
  static Padding same(int64_t r, int64_t s) { return {(r - 1) / 2, r / 2, (s - 1) / 2, s / 2}; }
  bool operator==(const Padding&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Padding& padding);

struct Conv2dSpec {
  int64_t stride_h = 1, stride_w = 1;
  Padding padding = {};
};

// A filter and bias that no longer change (inference). Libraries compute in filter layouts of their own: a FixedFilter
// is converted once, at the first use, a plain filter at every call.
class FixedFilter {
 public:
  struct Layouts;  // defined by the backend: tensor/cpu/conv2d.cpp

  FixedFilter() = default;
  FixedFilter(Tensor w, Tensor bias);  // bias may be undefined
  bool defined() const { return w_.defined(); }
  const Tensor& w() const { return w_; }
  const Tensor& bias() const { return bias_; }
  Layouts* layouts() const { return layouts_.get(); }  // null on a GPU

 private:
  Tensor w_, bias_;
  std::shared_ptr<Layouts> layouts_;  // shared by copies
};

namespace ops {
Shape conv2d_shape(const Shape& x, const Shape& w, Conv2dSpec spec);
// bias may be undefined. The activation (None or Relu) is for inference, with BatchNorm folded into w and bias.
Tensor conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec,
              Activation activation = Activation::None);
Tensor conv2d(const Tensor& x, const FixedFilter& filter, Conv2dSpec spec, Activation activation = Activation::None);
Tensor conv2d_backward_input(const Shape& x, const Tensor& w, const Tensor& dy, Conv2dSpec spec);
Tensor conv2d_backward_filter(const Tensor& x, const Shape& w, const Tensor& dy, Conv2dSpec spec);
}  // namespace ops

}  // namespace avs

// Each backend provides these; outputs arrive allocated and checked.
namespace avs::cpu {
std::shared_ptr<FixedFilter::Layouts> filter_layouts();
void conv2d(const Tensor& x, const FixedFilter& filter, Conv2dSpec spec, Activation activation, Tensor& y);
void conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec, Activation activation, Tensor& y);
void conv2d_backward_input(const Tensor& w, const Tensor& dy, Conv2dSpec spec, Tensor& dx);
void conv2d_backward_filter(const Tensor& x, const Tensor& dy, Conv2dSpec spec, Tensor& dw);
}  // namespace avs::cpu
namespace avs::cuda {
void conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec, Activation activation, Tensor& y);
void conv2d_backward_input(const Tensor& w, const Tensor& dy, Conv2dSpec spec, Tensor& dx);
void conv2d_backward_filter(const Tensor& x, const Tensor& dy, Conv2dSpec spec, Tensor& dw);
}  // namespace avs::cuda
