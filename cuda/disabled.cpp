// The CUDA backend of a build without CUDA: available() is false, and every operation throws
// a DeviceError of one line.
#include "cuda/api.h"
#include "cuda/spectrogram.h"
#include "tensor/ops/adam.h"
#include "tensor/ops/add.h"
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
#include "tensor/ops/load_pictures.h"
#include "tensor/ops/max_pool2d.h"
#include "tensor/ops/mixup.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/relu.h"
#include "tensor/ops/scale_channels.h"
#include "tensor/ops/softmax.h"
#include "tensor/ops/softmax_kl.h"
#include "tensor/ops/weighted_sum.h"

// Weak, so that the emulation (tests/emulation) can replace them.
#define AVS_WEAK [[gnu::weak]]

namespace avs::cuda {
namespace {
[[noreturn]] void missing() { throw DeviceError(why_unavailable()); }
}  // namespace

AVS_WEAK bool available() { return false; }
AVS_WEAK std::string why_unavailable() { return "this build has no CUDA backend"; }
AVS_WEAK avs::Context& context(Device) { missing(); }
AVS_WEAK int compute_capability(Device) { missing(); }
AVS_WEAK std::string description(Device) { missing(); }
AVS_WEAK std::string libraries() { return {}; }
AVS_WEAK std::string missing_libraries() { return {}; }
AVS_WEAK void on_notice(std::function<void(const std::string&)>) {}
AVS_WEAK size_t library_workspace_bytes() { return 0; }
AVS_WEAK std::unique_ptr<Graph> capture(Device, const std::function<void()>&) { missing(); }
AVS_WEAK std::unique_ptr<ReadBack> read_back(Device, size_t, int) { missing(); }
AVS_WEAK std::unique_ptr<Upload> upload(Device, size_t) { missing(); }
AVS_WEAK void set_arithmetic(Arithmetic) { missing(); }
AVS_WEAK size_t taken_bytes(size_t) { missing(); }
AVS_WEAK size_t room(Device) { missing(); }
AVS_WEAK std::unique_ptr<Marks> make_marks(Device) { missing(); }
AVS_WEAK void push_range(const std::string&) {}
AVS_WEAK void pop_range() {}
AVS_WEAK void fill(Tensor&, float) { missing(); }

AVS_WEAK void gelu(const Tensor&, Tensor&) { missing(); }
AVS_WEAK void gelu_backward(const Tensor&, const Tensor&, Tensor&) { missing(); }

AVS_WEAK void batch_norm(const std::vector<Tensor>&, const Tensor&, const Tensor&, const Tensor&, RunningMoments&,
                         BatchNormSpec, BatchNormMoments&, std::vector<ChannelSlice>&) {
  missing();
}
AVS_WEAK void batch_norm_backward(const std::vector<Tensor>&, const std::vector<ChannelSlice>&, const Tensor&,
                                  const BatchNormMoments&, const std::vector<ChannelSlice>&, BatchNormSpec,
                                  BatchNormGradients&) {
  missing();
}
AVS_WEAK void layer_norm(const Tensor&, const Tensor&, const Tensor&, float, LayerNormResult&) { missing(); }
AVS_WEAK void layer_norm_backward(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                  LayerNormGradients&) {
  missing();
}
AVS_WEAK void relu(const Tensor&, Tensor&) { missing(); }
AVS_WEAK void relu_backward(const Tensor&, const Tensor&, Tensor&) { missing(); }
AVS_WEAK void dropout(const Tensor&, float, const Tensor&, uint32_t, Tensor&) { missing(); }
AVS_WEAK void concat(const std::vector<Tensor>&, Tensor&) { missing(); }
AVS_WEAK void slice_channels(const Tensor&, int64_t, Tensor&) { missing(); }
AVS_WEAK void write_channels(const Tensor&, int64_t, Tensor&) { missing(); }
AVS_WEAK void add(const Tensor&, const Tensor&, Tensor&) { missing(); }
AVS_WEAK void scale_channels(const Tensor&, const Tensor&, Tensor&) { missing(); }
AVS_WEAK void scale_residual(const Tensor&, const Tensor&, const Tensor&, Tensor&) { missing(); }
AVS_WEAK void scale_channels_backward(const Tensor&, const Tensor&, const Tensor&, ScaleChannelsGradients&) {
  missing();
}
AVS_WEAK void softmax(const Tensor&, Tensor&) { missing(); }
AVS_WEAK void softmax_kl(const Tensor&, const Tensor&, float, SoftmaxKlResult&) { missing(); }
AVS_WEAK void softmax_kl_backward(const Tensor&, const Tensor&, float, const Tensor&, Tensor&) { missing(); }
AVS_WEAK void weighted_sum(const std::vector<Tensor>&, const std::vector<Tensor>&, const Tensor&, Activation, Tensor&) {
  missing();
}
AVS_WEAK void weighted_sum_backward(const std::vector<Tensor>&, const std::vector<Tensor>&, const Tensor&,
                                    const Tensor&, Activation, WeightedSumGradients&) {
  missing();
}
AVS_WEAK void sum_rows(const Tensor&, Tensor&) { missing(); }
AVS_WEAK void sum_squares(const Tensor&, Tensor&) { missing(); }
AVS_WEAK void find_non_finite(const Tensor&, Tensor&) { missing(); }
AVS_WEAK void mixup(const Tensor&, const MixupPlan&, Tensor&) { missing(); }
AVS_WEAK void mixup_backward(const Tensor&, const MixupPlan&, Tensor&) { missing(); }
AVS_WEAK void load_pictures(const Tensor&, const PictureBoxes&, const MixupPlan&, const PixelScale&, Tensor&) {
  missing();
}
AVS_WEAK void adam(Tensor&, const Tensor&, Tensor&, Tensor&, const Tensor&, AdamSpec, const Tensor&) { missing(); }
AVS_WEAK void update_loss_scale(Tensor&, const Tensor&, LossScale) { missing(); }
AVS_WEAK void ema(Tensor&, const Tensor&, float) { missing(); }
AVS_WEAK void cast(const Tensor&, Tensor&) { missing(); }

AVS_WEAK void conv2d(const Tensor&, const Tensor&, const Tensor&, Conv2dSpec, Activation, Tensor&) { missing(); }
AVS_WEAK void conv2d_backward_input(const Tensor&, const Tensor&, Conv2dSpec, Tensor&) { missing(); }
AVS_WEAK void conv2d_backward_filter(const Tensor&, const Tensor&, Conv2dSpec, Tensor&) { missing(); }
AVS_WEAK void depthwise_conv2d(const Tensor&, const Tensor&, const Tensor&, Padding, Tensor&) { missing(); }
AVS_WEAK void depthwise_conv2d_backward_input(const Tensor&, const Tensor&, Padding, Tensor&) { missing(); }
AVS_WEAK void depthwise_conv2d_backward_filter(const Tensor&, const Tensor&, Padding, Tensor&) { missing(); }
AVS_WEAK void depthwise_layer_norm(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, Padding,
                                   float, DepthwiseLayerNormResult&) {
  missing();
}
AVS_WEAK void depthwise_layer_norm_backward(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&,
                                            const Tensor&, Padding, DepthwiseLayerNormGradients&) {
  missing();
}
AVS_WEAK void linear(const Tensor&, const Tensor&, const Tensor&, Activation, Tensor&) { missing(); }
AVS_WEAK void linear_gelu(const Tensor&, const Tensor&, const Tensor&, LinearGeluResult&) { missing(); }
AVS_WEAK void linear_backward_input(const Tensor&, const Tensor&, Tensor&) { missing(); }
AVS_WEAK void linear_backward_gelu(const Tensor&, const Tensor&, const Tensor&, Tensor&) { missing(); }
AVS_WEAK void linear_backward_weight(const Tensor&, const Tensor&, Tensor&) { missing(); }
AVS_WEAK void max_pool2d(const Tensor&, Pool2dSpec, Tensor&) { missing(); }
AVS_WEAK void max_pool2d_backward(const Tensor&, const Tensor&, Pool2dSpec, Tensor&) { missing(); }
AVS_WEAK void avg_pool2d(const Tensor&, Pool2dSpec, PoolPadding, Tensor&) { missing(); }
AVS_WEAK void avg_pool2d_backward(const Tensor&, Pool2dSpec, PoolPadding, Tensor&) { missing(); }
AVS_WEAK void global_avg_pool(const Tensor&, Tensor&) { missing(); }
AVS_WEAK void global_avg_pool_backward(const Tensor&, Tensor&) { missing(); }

AVS_WEAK void stft(const Tensor&, const Tensor&, const StftFrames&, Tensor&) { missing(); }
AVS_WEAK void band_sums(const Tensor&, const BandFilters&, Bin, float, Tensor&) { missing(); }
AVS_WEAK void band_projections(const Tensor&, const BandFilters&, float, Tensor&) { missing(); }
AVS_WEAK void halve_rate(const Tensor&, const Tensor&, Tensor&) { missing(); }
AVS_WEAK void stack_deltas(const Tensor&, Tensor&) { missing(); }

}  // namespace avs::cuda
