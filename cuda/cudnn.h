// Convolution through cuDNN 9, if it was found at build time and at run time. Its types stay in cudnn_plans.cpp. A
// build without it links cudnn_missing.cpp instead.
#pragma once

#include <string>

#include "tensor/ops/conv2d.h"

namespace avs::cuda::cudnn {

// Return true if done. Return false and compute nothing if there is no cuDNN, it has no engine for this convolution, or
// the tensors' alignment does not fit its engines; the caller then uses our own kernels.
bool conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec, Activation activation, Tensor& y);
bool conv2d_backward_input(const Tensor& w, const Tensor& dy, Conv2dSpec spec, Tensor& dx);
bool conv2d_backward_filter(const Tensor& x, const Tensor& dy, Conv2dSpec spec, Tensor& dw);

struct Rules {
  bool deterministic = true;         // only engines that give the same bits every time
  bool tensor_cores_in_f32 = false;  // TF32: factors are rounded to ten bits
  int64_t most_workspace_bytes = int64_t{256} << 20;
};
void set_rules(const Rules& rules);  // for convolutions that have no plan yet

int64_t most_workspace_bytes();  // by the rules; 0 without cuDNN
std::string about();             // "cuDNN 9.19.0", or one sentence that says why our own kernels convolve

}  // namespace avs::cuda::cudnn
