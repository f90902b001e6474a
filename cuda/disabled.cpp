// The CUDA backend of a build without CUDA: every twin says so in one clear line.
#include "cuda/api.h"
#include "tensor/ops/adam.h"
#include "tensor/ops/add.h"
#include "tensor/ops/affine_channels.h"
#include "tensor/ops/avg_pool2d.h"
#include "tensor/ops/batch_norm.h"
#include "tensor/ops/cast.h"
#include "tensor/ops/concat.h"
#include "tensor/ops/conv2d.h"
#include "tensor/ops/depthwise_conv2d.h"
#include "tensor/ops/depthwise_layer_norm.h"
#include "tensor/ops/dropout.h"
#include "tensor/ops/gelu.h"
#include "tensor/ops/global_avg_pool.h"
#include "tensor/ops/layer_norm.h"
#include "tensor/ops/linear.h"
#include "tensor/ops/max_pool2d.h"
#include "tensor/ops/mixup.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/relu.h"
#include "tensor/ops/scale_channels.h"
#include "tensor/ops/softmax.h"
#include "tensor/ops/softmax_kl.h"
#include "tensor/ops/weighted_sum.h"

namespace avs::cuda {
namespace {
[[noreturn]] void missing() { throw DeviceError(why_unavailable()); }
}  // namespace

bool available() { return false; }
std::string why_unavailable() { return "this build has no CUDA backend"; }
avs::Context& context(Device) { missing(); }

void gelu(const Tensor&, Tensor&) { missing(); }
void gelu_backward(const Tensor&, const Tensor&, Tensor&) { missing(); }

void batch_norm(const Tensor&, const Tensor&, const Tensor&, const Tensor&, Tensor&, Tensor&, BatchNormSpec,
                BatchNormResult&) {
  missing();
}
void batch_norm_backward(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                         BatchNormSpec, BatchNormGradients&) {
  missing();
}
void batch_norm_inference(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                          BatchNormSpec, Tensor&) {
  missing();
}
void batch_norm_inference_backward(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                   const Tensor&, BatchNormSpec, BatchNormGradients&) {
  missing();
}
void layer_norm(const Tensor&, const Tensor&, const Tensor&, float, LayerNormResult&) { missing(); }
void layer_norm_backward(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                         LayerNormGradients&) {
  missing();
}
void relu(const Tensor&, Tensor&) { missing(); }
void relu_backward(const Tensor&, const Tensor&, Tensor&) { missing(); }
void dropout(const Tensor&, float, const Tensor&, uint32_t, Tensor&) { missing(); }
void concat(const std::vector<Tensor>&, Tensor&) { missing(); }
void slice_channels(const Tensor&, int64_t, Tensor&) { missing(); }
void add(const Tensor&, const Tensor&, Tensor&) { missing(); }
void scale_channels(const Tensor&, const Tensor&, Tensor&) { missing(); }
void scale_residual(const Tensor&, const Tensor&, const Tensor&, Tensor&) { missing(); }
void scale_channels_backward(const Tensor&, const Tensor&, const Tensor&, ScaleChannelsGradients&) { missing(); }
void affine_channels(const Tensor&, const Tensor&, const Tensor&, Tensor&) { missing(); }
void softmax(const Tensor&, Tensor&) { missing(); }
void log_softmax(const Tensor&, Tensor&) { missing(); }
void log_softmax_backward(const Tensor&, const Tensor&, Tensor&) { missing(); }
void softmax_kl(const Tensor&, const Tensor&, float, SoftmaxKlResult&) { missing(); }
void softmax_kl_backward(const Tensor&, const Tensor&, float, const Tensor&, Tensor&) { missing(); }
void weighted_sum(const std::vector<Tensor>&, const std::vector<Tensor>&, const Tensor&, Activation, Tensor&) {
  missing();
}
void weighted_sum_backward(const std::vector<Tensor>&, const std::vector<Tensor>&, const Tensor&, const Tensor&,
                           Activation, WeightedSumGradients&) {
  missing();
}
void sum_rows(const Tensor&, Tensor&) { missing(); }
void sum_squares(const Tensor&, Tensor&) { missing(); }
int64_t first_non_finite(const Tensor&) { missing(); }
void mixup(const Tensor&, const Tensor&, const Tensor&, const Tensor&, Tensor&) { missing(); }
void adam(Tensor&, const Tensor&, Tensor&, Tensor&, const Tensor&, AdamSpec) { missing(); }
void ema(Tensor&, const Tensor&, float) { missing(); }
void cast(const Tensor&, Tensor&) { missing(); }

void conv2d(const Tensor&, const Tensor&, const Tensor&, Conv2dSpec, Activation, Tensor&) { missing(); }
void conv2d_backward_input(const Tensor&, const Tensor&, Conv2dSpec, Tensor&) { missing(); }
void conv2d_backward_filter(const Tensor&, const Tensor&, Conv2dSpec, Tensor&) { missing(); }
void depthwise_conv2d(const Tensor&, const Tensor&, const Tensor&, Padding, Tensor&) { missing(); }
void depthwise_conv2d_backward_input(const Tensor&, const Tensor&, Padding, Tensor&) { missing(); }
void depthwise_conv2d_backward_filter(const Tensor&, const Tensor&, Padding, Tensor&) { missing(); }
void depthwise_layer_norm(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, Padding, float,
                          DepthwiseLayerNormResult&) { missing(); }
void depthwise_layer_norm_backward(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                   const Tensor&, Padding, DepthwiseLayerNormGradients&) { missing(); }
void linear(const Tensor&, const Tensor&, const Tensor&, Activation, Tensor&) { missing(); }
void linear_gelu(const Tensor&, const Tensor&, const Tensor&, LinearGeluResult&) { missing(); }
void linear_backward_input(const Tensor&, const Tensor&, Tensor&) { missing(); }
void linear_backward_weight(const Tensor&, const Tensor&, Tensor&) { missing(); }
void max_pool2d(const Tensor&, Pool2dSpec, Tensor&) { missing(); }
void max_pool2d_backward(const Tensor&, const Tensor&, Pool2dSpec, Tensor&) { missing(); }
void avg_pool2d(const Tensor&, Pool2dSpec, PoolPadding, Tensor&) { missing(); }
void avg_pool2d_backward(const Tensor&, Pool2dSpec, PoolPadding, Tensor&) { missing(); }
void global_avg_pool(const Tensor&, Tensor&) { missing(); }
void global_avg_pool_backward(const Tensor&, Tensor&) { missing(); }

}  // namespace avs::cuda
