// Convolution through cuDNN 9, where it was found when this was built and is there when this runs. Its types stay in
// cudnn_plans.cpp. A build without it links cudnn_missing.cpp instead.
#pragma once

#include <string>

#include "tensor/ops/conv2d.h"

namespace avs::cuda::cudnn {

// True: done. False: nothing was computed, because there is no cuDNN, because it has no engine for this convolution, or
// because the tensors do not lie as its engines need them. Then our own kernels do it.
bool conv2d(const Tensor& x, const Tensor& w, const Tensor& bias, Conv2dSpec spec, Activation activation, Tensor& y);
bool conv2d_backward_input(const Tensor& w, const Tensor& dy, Conv2dSpec spec, Tensor& dx);
bool conv2d_backward_filter(const Tensor& x, const Tensor& dy, Conv2dSpec spec, Tensor& dw);

struct Rules {
  bool deterministic = true;         // only engines that give the same bits every time
  bool tensor_cores_in_f32 = false;  // TF32: factors of ten bits
  int64_t most_workspace_bytes = int64_t{256} << 20;
};
void set_rules(const Rules& rules);  // for convolutions whose plan has not been made yet

int64_t most_workspace_bytes();  // by the rules; 0: there is no cuDNN
std::string about();             // "cuDNN 9.19.0", or one sentence about why our own kernels convolve

}  // namespace avs::cuda::cudnn
