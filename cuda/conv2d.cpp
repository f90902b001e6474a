// Selects the convolution code: cuDNN if it is available and has an engine, else our own kernels.
#include "cuda/conv2d.h"

#include "cuda/cudnn.h"

namespace avs::cuda {

void conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec, Activation activation, Tensor& y) {
  if (!cudnn::conv2d(x, w, bias, spec, activation, y)) own::conv2d(x, w, bias, spec, activation, y);
}

void conv2d_backward_input(const Tensor& w, const Tensor& dy, Conv2dSpec spec, Tensor& dx) {
  if (!cudnn::conv2d_backward_input(w, dy, spec, dx)) own::conv2d_backward_input(w, dy, spec, dx);
}

void conv2d_backward_filter(const Tensor& x, const Tensor& dy, Conv2dSpec spec, Tensor& dw) {
  if (!cudnn::conv2d_backward_filter(x, dy, spec, dw)) own::conv2d_backward_filter(x, dy, spec, dw);
}

}  // namespace avs::cuda
