// Every op refuses tensors on two devices, whichever tensor differs, and names the op and both devices. A kernel with a
// host pointer would fail on a GPU only after its caller has continued.
#include <filesystem>
#include <functional>
#include <set>

#include "tensor/ops/adam.h"
#include "tensor/ops/add.h"
#include "tensor/ops/batch_norm.h"
#include "tensor/ops/concat.h"
#include "tensor/ops/conv2d.h"
#include "tensor/ops/depthwise_conv2d.h"
#include "tensor/ops/depthwise_layer_norm.h"
#include "tensor/ops/dropout.h"
#include "tensor/ops/gelu.h"
#include "tensor/ops/layer_norm.h"
#include "tensor/ops/linear.h"
#include "tensor/ops/load_pictures.h"
#include "tensor/ops/max_pool2d.h"
#include "tensor/ops/relu.h"
#include "tensor/ops/scale_channels.h"
#include "tensor/ops/softmax.h"
#include "tensor/ops/softmax_kl.h"
#include "tensor/ops/weighted_sum.h"
#include "tests/emulation/gpu.h"
#include "tests/op_case.h"

namespace avs {
namespace {

using Given = std::vector<Tensor>;

struct Call {
  std::string header;  // tensor/ops/HEADER.h
  std::string says;    // the op's name in messages
  Given given;
  std::function<void(Given&)> run;
};

const std::set<std::string> kOfOneTensor = {"activation", "avg_pool2d", "cast", "global_avg_pool", "reduce", "softmax"};

Tensor f32(const Shape& shape) {
  return Tensor::from(shape, std::span<const float>(std::vector<float>(static_cast<size_t>(shape.size()), 0.5f)));
}
Tensor i32(std::vector<int32_t> values) { return Tensor::from({std::ssize(values)}, std::span<const int32_t>(values)); }

constexpr int64_t kC = 8;
const Padding kPad = Padding::all(1);
Tensor rows() { return f32({4, kC}); }
Tensor of_channels() { return f32({kC}); }
Tensor image() { return f32({2, 4, 4, kC}); }

void add_convolutions(std::vector<Call>& calls) {
  const Conv2dSpec spec{.padding = kPad};
  const Shape filter{kC, 3, 3, kC}, depthwise{3, 3, kC};
  calls.push_back({"conv2d", "conv2d", {image(), f32(filter), of_channels()}, [=](Given& t) {
                     ops::conv2d(t[0], t[1], t[2], spec);
                   }});
  calls.push_back({"conv2d", "conv2d", {image(), f32(filter), of_channels()}, [=](Given& t) {
                     ops::conv2d(t[0], FixedFilter(t[1], t[2]), spec);
                   }});
  calls.push_back({"conv2d", "conv2d_backward_input", {f32(filter), image()}, [=](Given& t) {
                     ops::conv2d_backward_input(t[1].shape(), t[0], t[1], spec);
                   }});
  calls.push_back({"conv2d", "conv2d_backward_filter", {image(), image()}, [=](Given& t) {
                     ops::conv2d_backward_filter(t[0], filter, t[1], spec);
                   }});
  calls.push_back({"depthwise_conv2d", "depthwise_conv2d", {image(), f32(depthwise), of_channels()}, [](Given& t) {
                     ops::depthwise_conv2d(t[0], t[1], t[2], kPad);
                   }});
  calls.push_back({"depthwise_conv2d", "depthwise_conv2d_backward_input", {f32(depthwise), image()}, [](Given& t) {
                     ops::depthwise_conv2d_backward_input(t[1].shape(), t[0], t[1], kPad);
                   }});
  calls.push_back({"depthwise_conv2d", "depthwise_conv2d_backward_filter", {image(), image()}, [=](Given& t) {
                     ops::depthwise_conv2d_backward_filter(t[0], depthwise, t[1], kPad);
                   }});
  calls.push_back({"depthwise_layer_norm",
                   "depthwise_layer_norm",
                   {image(), f32(depthwise), of_channels(), of_channels(), of_channels()},
                   [](Given& t) { ops::depthwise_layer_norm(t[0], t[1], t[2], t[3], t[4], kPad, 1e-6f); }});
  calls.push_back({"depthwise_layer_norm",
                   "depthwise_layer_norm_backward",
                   {image(), f32(depthwise), of_channels(), image(), f32({32}), image()},
                   [](Given& t) { ops::depthwise_layer_norm_backward(t[0], t[1], t[2], t[3], t[4], t[5], kPad); }});
  calls.push_back({"max_pool2d", "max_pool2d_backward", {image(), f32({2, 2, 2, kC})}, [](Given& t) {
                     ops::max_pool2d_backward(t[0], t[1], {});
                   }});
}

void add_products(std::vector<Call>& calls) {
  const Shape weight{5, kC};
  calls.push_back(
      {"linear", "linear", {rows(), f32(weight), f32({5})}, [](Given& t) { ops::linear(t[0], t[1], t[2]); }});
  calls.push_back(
      {"linear", "linear_gelu", {rows(), f32(weight), f32({5})}, [](Given& t) { ops::linear_gelu(t[0], t[1], t[2]); }});
  calls.push_back({"linear", "linear_backward_input", {f32(weight), f32({4, 5})}, [](Given& t) {
                     ops::linear_backward_input({4, kC}, t[0], t[1]);
                   }});
  calls.push_back({"linear", "linear_backward_gelu", {rows(), f32(weight), f32({4, 5})}, [](Given& t) {
                     ops::linear_backward_gelu(t[0], t[1], t[2]);
                   }});
  calls.push_back({"linear", "linear_backward_weight", {rows(), f32({4, 5})}, [=](Given& t) {
                     ops::linear_backward_weight(t[0], weight, t[1]);
                   }});
}

void add_batch_norms(std::vector<Call>& calls) {
  const BatchNormSpec spec{.activation = Activation::Relu};
  calls.push_back({"batch_norm",
                   "batch_norm",
                   {rows(), of_channels(), of_channels(), rows(), of_channels(), of_channels(), rows()},
                   [=](Given& t) {
                     RunningMoments running{t[4], t[5]};
                     std::vector<ChannelSlice> y{t[6]};
                     ops::batch_norm({t[0]}, t[1], t[2], t[3], running, spec, y);
                   }});
  calls.push_back({"batch_norm",
                   "batch_norm_backward",
                   {rows(), rows(), of_channels(), of_channels(), of_channels(), rows(), rows(), rows()},
                   [=](Given& t) {
                     BatchNormGradients gradients{{t[6]}, {}, {}, t[7]};
                     ops::batch_norm_backward({t[0]}, {t[1]}, t[2], {t[3], t[4]}, {t[5]}, spec, gradients);
                   }});
  calls.push_back({"batch_norm", "batch_norm", {rows(), rows(), f32({4, 2 * kC})}, [=](Given& t) {
                     const auto made = [&] { return f32({2 * kC}).to(t[0].device()); };
                     RunningMoments running{made(), made()};
                     std::vector<ChannelSlice> y{{t[2], 0, kC}, {t[2], kC, kC}};
                     ops::batch_norm({t[0], t[1]}, {}, made(), {}, running, spec, y);
                   }});
}

void add_rows_of_channels(std::vector<Call>& calls) {
  calls.push_back({"add", "add", {rows(), rows()}, [](Given& t) { ops::add(t[0], t[1]); }});
  calls.push_back({"add", "add_into", {rows(), rows()}, [](Given& t) { ops::add_into(t[0], t[1]); }});
  calls.push_back({"concat", "concat", {rows(), rows(), rows()}, [](Given& t) { ops::concat(t); }});
  calls.push_back(
      {"concat", "write_channels", {f32({4, 2}), rows()}, [](Given& t) { ops::write_channels(t[0], 3, t[1]); }});
  calls.push_back(
      {"dropout", "dropout", {rows(), i32({1, 0, 1, 0})}, [](Given& t) { ops::dropout(t[0], 0.5f, t[1], 0); }});
  calls.push_back({"gelu", "gelu_backward", {rows(), rows()}, [](Given& t) { ops::gelu_backward(t[0], t[1]); }});
  calls.push_back({"relu", "relu_backward", {rows(), rows()}, [](Given& t) { ops::relu_backward(t[0], t[1]); }});
  calls.push_back({"layer_norm", "layer_norm", {rows(), of_channels(), of_channels()}, [](Given& t) {
                     ops::layer_norm(t[0], t[1], t[2], 1e-6f);
                   }});
  calls.push_back(
      {"layer_norm", "layer_norm_backward", {rows(), of_channels(), f32({4}), f32({4}), rows()}, [](Given& t) {
         ops::layer_norm_backward(t[0], t[1], t[2], t[3], t[4]);
       }});
  calls.push_back(
      {"scale_channels", "scale_channels", {rows(), of_channels()}, [](Given& t) { ops::scale_channels(t[0], t[1]); }});
  calls.push_back({"scale_channels", "scale_residual", {rows(), of_channels(), rows()}, [](Given& t) {
                     ops::scale_residual(t[0], t[1], t[2]);
                   }});
  calls.push_back({"scale_channels", "scale_channels_backward", {rows(), of_channels(), rows()}, [](Given& t) {
                     ops::scale_channels_backward(t[0], t[1], t[2]);
                   }});
}

void add_losses_and_steps(std::vector<Call>& calls) {
  calls.push_back({"softmax_kl", "softmax_kl", {rows(), rows()}, [](Given& t) { ops::softmax_kl(t[0], t[1], 1e-7f); }});
  calls.push_back({"softmax_kl", "softmax_kl_backward", {rows(), rows(), f32({1})}, [](Given& t) {
                     ops::softmax_kl_backward(t[0], t[1], 1e-7f, t[2]);
                   }});
  calls.push_back({"adam", "adam", {rows(), rows(), rows(), rows(), f32({2}), f32({4})}, [](Given& t) {
                     ops::adam(t[0], t[1], t[2], t[3], t[4], {}, t[5]);
                   }});
  calls.push_back({"adam", "update_loss_scale", {f32({4}), i32({0, 0})}, [](Given& t) {
                     ops::update_loss_scale(t[0], t[1], LossScale::Dynamic);
                   }});
  calls.push_back({"adam", "ema", {rows(), rows()}, [](Given& t) { ops::ema(t[0], t[1], 0.9f); }});
  const Tensor first = i32({0, 1}), second = i32({1, 0}), lambda = f32({2});
  calls.push_back({"mixup", "mixup", {rows(), first, second, lambda}, [](Given& t) {
                     ops::mixup(t[0], {t[1], t[2], t[3]});
                   }});
  calls.push_back({"mixup", "mixup", {f32({2, kC}), first, second, lambda}, [](Given& t) {
                     ops::mixup_backward(t[0], {t[1], t[2], t[3]}, 2);
                   }});
  const Tensor pixels = Tensor::zeros({2, 4, 4, 3}, DType::U8), three = f32({3});
  calls.push_back({"load_pictures",
                   "load_pictures",
                   {pixels, first, second, lambda, three, three, Tensor::full({2, 5}, 1)},
                   [](Given& t) {
                     ops::load_pictures(t[0], {t[6], 2, 2}, {t[1], t[2], t[3]}, {t[4], t[5]});
                   }});
}

void add_fusions(std::vector<Call>& calls) {
  calls.push_back(
      {"weighted_sum", "weighted_sum", {rows(), rows(), of_channels(), of_channels(), of_channels()}, [](Given& t) {
         ops::weighted_sum({t[0], t[1]}, {t[2], t[3]}, t[4], Activation::None);
       }});
  calls.push_back({"weighted_sum",
                   "weighted_sum_backward",
                   {rows(), rows(), of_channels(), of_channels(), rows(), rows()},
                   [](Given& t) {
                     ops::weighted_sum_backward({t[0], t[1]}, {t[2], t[3]}, t[4], t[5], Activation::Relu);
                   }});
}

std::vector<Call> calls() {
  std::vector<Call> all;
  add_convolutions(all);
  add_products(all);
  add_batch_norms(all);
  add_rows_of_channels(all);
  add_losses_and_steps(all);
  add_fusions(all);
  return all;
}

TEST(Devices, EveryOpRefusesATensorOfAnotherDeviceAndNamesBoth) {
  for (const Call& call : calls())
    for (const Device home : {kCpu, kGpu}) {
      Given together;
      for (const Tensor& t : call.given) together.push_back(t.clone().to(home));
      EXPECT_NO_THROW(call.run(together)) << call.says << ": not a call that " << home << " accepts";
      for (size_t stranger = 0; stranger < call.given.size(); ++stranger) {
        Given apart = together;
        apart[stranger] = call.given[stranger].clone().to(home.is_cuda() ? kCpu : kGpu);
        const std::string message = error_of<ShapeError>([&] { call.run(apart); });
        EXPECT_THAT(message, testing::AllOf(testing::HasSubstr(call.says), testing::HasSubstr("cpu"),
                                            testing::HasSubstr("cuda:0")))
            << call.says << ", tensor " << stranger << " away from " << home;
      }
    }
}

TEST(Devices, NoOpIsLeftOut) {
  std::set<std::string> asked = kOfOneTensor;
  for (const Call& call : calls()) asked.insert(call.header);
  for (const auto& file : std::filesystem::directory_iterator(std::string(AVS_SOURCE_DIR) + "/tensor/ops"))
    if (file.path().extension() == ".h") {
      EXPECT_TRUE(asked.contains(file.path().stem())) << file.path();
    }
}

}  // namespace
}  // namespace avs
