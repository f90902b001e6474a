// A build without cuDNN: our own kernels compute every convolution.
#include "cuda/cudnn.h"

namespace avs::cuda::cudnn {

bool conv2d(const Tensor&, const Tensor&, const Tensor&, Conv2dSpec, Activation, Tensor&) { return false; }
bool conv2d_backward_input(const Tensor&, const Tensor&, Conv2dSpec, Tensor&) { return false; }
bool conv2d_backward_filter(const Tensor&, const Tensor&, Conv2dSpec, Tensor&) { return false; }
void set_rules(const Rules&) {}
int64_t most_workspace_bytes() { return 0; }
std::string about() { return "built without cuDNN: our own kernels convolve"; }

}  // namespace avs::cuda::cudnn
