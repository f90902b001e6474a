#include "tensor/ops/conv2d.h"

#include "tensor/cpu/conv2d.h"
#include "tensor/cpu/conv2d_filter_gradient.h"
#include "tensor/ops/cast.h"
#include "tensor/parallel.h"
#include "tests/op_case.h"
#include "tests/reference/conv2d.h"

namespace avs {
namespace {

OpCase conv_case(const char* name, Shape x, Shape w, Conv2dSpec spec) {
  return {str("conv2d ", name, " ", x, " * ", w, " pad ", spec.padding),
          {x, w},
          [spec](const auto& v) { return conv2d(v[0], v[1], Variable(), spec); },
          [=](const auto& in) { return reference::conv2d(in[0], as_nhwc(x), in[1], as_krsc(w), {}, spec); }};
}

OpCase biased(OpCase op, Shape x, Shape w, Conv2dSpec spec) {
  op.name += " with bias";
  op.inputs.push_back({w[0]});
  op.engine = [spec](const auto& v) { return conv2d(v[0], v[1], v[2], spec); };
  op.oracle = [=](const auto& in) { return reference::conv2d(in[0], as_nhwc(x), in[1], as_krsc(w), in[2], spec); };
  return op;
}

struct Layer {
  const char* name;
  Shape x, w;
  Conv2dSpec spec = {};
};

TEST(Conv2d, MatchesTheOracle) {
  const std::vector<Layer> layers = {
      {"one by one", {2, 4, 5, 3}, {7, 1, 1, 3}},
      {"one by one, stride 2", {1, 5, 6, 4}, {5, 1, 1, 4}, {.stride_h = 2, .stride_w = 2}},
      {"three by three, odd extents", {2, 5, 7, 3}, {4, 3, 3, 3}, {.padding = Padding::same(3, 3)}},
      {"valid, stride 2", {1, 7, 9, 3}, {5, 3, 3, 3}, {.stride_h = 2, .stride_w = 2}},
      {"even filter, 'same'", {2, 4, 9, 5}, {3, 1, 4, 5}, {.padding = Padding::same(1, 4)}},
      {"even filter upright, 'same'", {2, 9, 4, 5}, {3, 4, 1, 5}, {.padding = Padding::same(4, 1)}},
      {"row of seven", {1, 3, 9, 4}, {4, 1, 7, 4}, {.padding = Padding::same(1, 7)}},
      {"patches, stride 4", {1, 8, 12, 3}, {6, 4, 4, 3}, {.stride_h = 4, .stride_w = 4}},
      {"wide channels", {1, 3, 4, 17}, {18, 3, 3, 17}, {.padding = Padding::same(3, 3)}},
      {"padding on one side only", {1, 4, 4, 2}, {3, 2, 3, 2}, {.stride_w = 2, .padding = {0, 2, 1, 0}}},
  };
  for (const Device device : devices())
    for (const Layer& layer : layers) {
      const OpCase plain = conv_case(layer.name, layer.x, layer.w, layer.spec);
      check_op(plain, device);
      check_op(biased(plain, layer.x, layer.w, layer.spec), device);
    }
}

TEST(Conv2d, AppliesReluAfterTheBias) {
  const Shape x = {2, 5, 6, 3}, w = {4, 3, 3, 3};
  const Conv2dSpec spec{.padding = Padding::all(1)};
  const Vector a = reference::random_vector(x.size(), 1), b = reference::random_vector(w.size(), 2),
               bias = reference::random_vector(4, 3);
  Vector expected = reference::conv2d(a, as_nhwc(x), b, as_krsc(w), bias, spec);
  for (double& v : expected) v = std::max(v, 0.0);
  for (const Device device : devices()) {
    const Tensor y = ops::conv2d(to_tensor(a, x, device), to_tensor(b, w, device), to_tensor(bias, {4}, device), spec,
                                 Activation::Relu);
    EXPECT_LT(relative_error(to_double(y), expected), 1e-6) << device;
  }
}

// All three directions, element by element, at shapes too large for finite differences. They cover every tile of the
// GPU's products with an incomplete last tile, vectors and single elements, and depth in one piece and split between
// blocks.
void matches_the_definition(const Layer& l, DType dtype, Device device, double tolerance) {
  SCOPED_TRACE(str(l.name, " ", l.x, " * ", l.w, " in ", dtype, " on ", device));
  const Shape ys = ops::conv2d_shape(l.x, l.w, l.spec);
  const auto rounded = [&](const Shape& shape, uint64_t seed) {
    return ops::cast(to_tensor(reference::random_vector(shape.size(), seed), shape), dtype);
  };
  const Tensor x = rounded(l.x, 1), w = ops::cast(rounded(l.w, 2), DType::F32), dy = rounded(ys, 3),
               bias = to_tensor(reference::random_vector(l.w[0], 4), {l.w[0]});
  Vector y = reference::conv2d(to_double(x), as_nhwc(l.x), to_double(w), as_krsc(l.w), to_double(bias), l.spec);
  for (double& v : y) v = std::max(v, 0.0);
  const Tensor x_there = x.to(device), w_there = w.to(device), dy_there = dy.to(device);
  const Tensor y_there = ops::conv2d(x_there, w_there, bias.to(device), l.spec, Activation::Relu);
  EXPECT_EQ(y_there.dtype(), dtype);
  EXPECT_LT(relative_error(to_double(y_there), y), tolerance) << "forward";
  const Vector dx = reference::conv2d_backward_input(as_nhwc(l.x), to_double(w), as_krsc(l.w), to_double(dy), l.spec);
  EXPECT_LT(relative_error(to_double(ops::conv2d_backward_input(l.x, w_there, dy_there, l.spec)), dx), tolerance)
      << "gradient of the input";
  const Vector dw = reference::conv2d_backward_filter(to_double(x), as_nhwc(l.x), to_double(dy), as_krsc(l.w), l.spec);
  const Tensor dw_there = ops::conv2d_backward_filter(x_there, l.w, dy_there, l.spec);
  EXPECT_EQ(dw_there.dtype(), DType::F32);
  EXPECT_LT(relative_error(to_double(dw_there), dw), tolerance) << "gradient of the filter";
}

const std::vector<Layer>& larger_layers() {
  static const std::vector<Layer> layers = {
      {"128 filters", {2, 9, 14, 16}, {128, 3, 3, 16}, {.padding = Padding::same(3, 3)}},
      {"64 filters", {2, 9, 14, 16}, {64, 1, 4, 16}, {.padding = Padding::same(1, 4)}},
      {"32 filters", {2, 9, 14, 16}, {32, 4, 1, 16}, {.padding = Padding::same(4, 1)}},
      {"to 128 channels", {1, 13, 17, 128}, {24, 1, 1, 128}},
      {"deep", {1, 4, 5, 40}, {16, 3, 3, 40}, {.padding = Padding::same(3, 3)}},
      {"stride 2", {1, 15, 12, 32}, {24, 3, 3, 32}, {.stride_h = 2, .stride_w = 2, .padding = {0, 1, 1, 0}}},
      {"stride 2, no overlap", {1, 8, 10, 16}, {40, 2, 2, 16}, {.stride_h = 2, .stride_w = 2}},
      {"one pixel of four, strides that differ", {1, 7, 10, 16}, {16, 1, 1, 16}, {.stride_h = 2, .stride_w = 3}},
      {"a filter higher than its image", {2, 3, 3, 16}, {16, 7, 1, 16}, {.padding = Padding::same(7, 1)}},
      {"filters in fours only", {1, 5, 6, 12}, {20, 3, 3, 12}, {.padding = Padding::all(1)}},
      {"odd and deep", {1, 3, 4, 66}, {9, 3, 3, 66}, {.padding = Padding::all(1)}},
      {"odd and deep, backwards", {1, 3, 4, 10}, {66, 3, 3, 10}, {.padding = Padding::all(1)}},
      {"six channels", {1, 20, 30, 6}, {20, 3, 3, 6}, {.padding = Padding::same(3, 3)}},
      {"three colours, stride 2", {1, 19, 23, 3}, {32, 3, 3, 3}, {.stride_h = 2, .stride_w = 2}},
      {"patches", {2, 8, 12, 3}, {96, 4, 4, 3}, {.stride_h = 4, .stride_w = 4}},
  };
  return layers;
}

TEST(Conv2d, LargerShapesMatchTheDefinition) {
  for (const Device device : devices())
    for (const Layer& layer : larger_layers()) matches_the_definition(layer, DType::F32, device, 1e-5);
}

TEST(Conv2d, SixteenBitsMatchTheDefinitionOnAGpu) {
  for (const Device device : devices()) {
    if (!device.is_cuda()) continue;  // the CPU convolves in f32 only
    for (const Layer& layer : larger_layers()) {
      matches_the_definition(layer, DType::BF16, device, 1e-2);
      matches_the_definition(layer, DType::F16, device, 1e-3);
    }
  }
}

// Two image sizes, one of them twice: the kept layouts must not be confused.
TEST(Conv2d, AFixedFilterGivesTheSameBitsAsAPlainOne) {
  const Shape ws = {24, 3, 3, 20};
  const Conv2dSpec spec{.padding = Padding::all(1)};
  const Tensor w = to_tensor(reference::random_vector(ws.size(), 2), ws),
               bias = to_tensor(reference::random_vector(24, 3), {24});
  const FixedFilter fixed(w, bias);
  for (const Shape& xs : {Shape{2, 7, 9, 20}, Shape{1, 30, 30, 20}, Shape{2, 7, 9, 20}}) {
    const Tensor x = to_tensor(reference::random_vector(xs.size(), 1), xs);
    EXPECT_EQ(ops::conv2d(x, fixed, spec, Activation::Relu).to_vector(),
              ops::conv2d(x, w, bias, spec, Activation::Relu).to_vector());
  }
}

TEST(Conv2d, GivesTheSameBitsTwice) {
  const Shape x = {4, 19, 21, 24}, w = {40, 3, 3, 24};
  const Conv2dSpec spec{.padding = Padding::all(1)};
  for (const Device device : devices()) {
    const Tensor a = to_tensor(reference::random_vector(x.size(), 1), x, device);
    const Tensor dy = ops::conv2d(a, to_tensor(reference::random_vector(w.size(), 2), w, device), {}, spec);
    EXPECT_EQ(ops::conv2d_backward_filter(a, w, dy, spec).to_vector(),
              ops::conv2d_backward_filter(a, w, dy, spec).to_vector());
  }
}

// Our own filter gradient for any shape: groups of 12, 8, 6 and 4 output channels, half a last group of input channels,
// padding, strides, several images in a block, several blocks in an image.
TEST(Conv2d, OwnFilterGradientMatchesTheDefinition) {
  const std::vector<Layer> layers = {
      {"an upright filter", {2, 5, 6, 48}, {16, 4, 1, 48}, {.padding = Padding::same(4, 1)}},
      {"no padding", {1, 7, 3, 16}, {40, 3, 1, 16}},
      {"columns in two blocks", {2, 3, 50, 32}, {8, 1, 4, 32}, {.padding = Padding::same(1, 4)}},
      {"rows in several blocks", {1, 23, 21, 16}, {8, 3, 3, 16}, {.padding = Padding::same(3, 3)}},
      {"stride 2", {2, 9, 11, 16}, {24, 3, 3, 16}, {.stride_h = 2, .stride_w = 2}},
      {"padding on one side, strides that differ", {1, 8, 9, 16}, {8, 2, 3, 16}, {1, 2, {0, 3, 2, 0}}},
      {"many small images", {20, 3, 3, 16}, {8, 3, 3, 16}, {.padding = Padding::same(3, 3)}},
      {"a filter higher than its image", {1, 2, 2, 16}, {8, 7, 1, 16}, {.padding = Padding::same(7, 1)}},
  };
  for (const Layer& l : layers) {
    ASSERT_TRUE(cpu::has_own_filter_gradient(l.w)) << l.name;
    const Shape ys = ops::conv2d_shape(l.x, l.w, l.spec);
    const Vector x = reference::random_vector(l.x.size(), 1), dy = reference::random_vector(ys.size(), 2);
    Tensor dw = Tensor::full(l.w, 7.0f);
    cpu::own_filter_gradient(to_tensor(x, l.x), to_tensor(dy, ys), l.spec, dw);
    const Vector expected = reference::conv2d_backward_filter(x, as_nhwc(l.x), dy, as_krsc(l.w), l.spec);
    EXPECT_LT(relative_error(to_double(dw), expected), 1e-5) << l.name;
  }
}

// Threads share outputs but never a sum.
TEST(Conv2d, OwnFilterGradientDoesNotDependOnTheNumberOfThreads) {
  const Shape xs = {2, 17, 13, 64}, ws = {16, 3, 3, 64};
  const Conv2dSpec spec{.padding = Padding::all(1)};
  const Tensor x = to_tensor(reference::random_vector(xs.size(), 1), xs),
               dy = to_tensor(reference::random_vector(2 * 17 * 13 * 16, 2), {2, 17, 13, 16});
  const int threads = thread_count();
  std::vector<std::vector<float>> results;
  for (const int count : {1, 2, 5}) {
    set_thread_count(count);
    Tensor dw = Tensor::empty(ws);
    cpu::own_filter_gradient(x, dy, spec, dw);
    results.push_back(dw.to_vector());
  }
  set_thread_count(threads);
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

// oneDNN silently uses reference code for layouts without a kernel, a thousand times slower: this tests all three
// directions of one convolution of each kind in the networks; bench/ops/conv2d_bench.cpp has the full lists.
TEST(Conv2d, NeverRunsReferenceCodeForTheShapesOfOurNetworks) {
  const Conv2dSpec s1{}, s2{.stride_h = 2, .stride_w = 2}, s4{.stride_h = 4, .stride_w = 4};
  const auto same = [](int64_t r, int64_t s) { return Conv2dSpec{.padding = Padding::same(r, s)}; };
  const std::vector<Layer> layers = {
      {"inception stem", {2, 224, 224, 3}, {32, 3, 3, 3}, s2},
      {"inception valid", {2, 111, 111, 32}, {32, 3, 3, 32}, s1},
      {"inception same", {2, 109, 109, 32}, {64, 3, 3, 32}, same(3, 3)},
      {"inception 80", {2, 54, 54, 64}, {80, 1, 1, 64}, s1},
      {"inception 5x5", {2, 25, 25, 48}, {64, 5, 5, 48}, same(5, 5)},
      {"inception 1x7", {2, 12, 12, 160}, {160, 1, 7, 160}, same(1, 7)},
      {"inception 7x1", {2, 12, 12, 160}, {192, 7, 1, 160}, same(7, 1)},
      {"inception reduction", {2, 25, 25, 288}, {384, 3, 3, 288}, s2},
      {"inception 1x3", {2, 5, 5, 384}, {384, 1, 3, 384}, same(1, 3)},
      {"inception 3x1", {2, 5, 5, 384}, {384, 3, 1, 384}, same(3, 1)},
      {"convnext patches", {2, 224, 224, 3}, {96, 4, 4, 3}, s4},
      {"convnext downsampling", {2, 56, 56, 96}, {192, 2, 2, 96}, s2},
      {"spectrogram 3x3", {2, 128, 704, 6}, {16, 3, 3, 6}, same(3, 3)},
      {"spectrogram 1x4", {2, 128, 704, 6}, {16, 1, 4, 6}, same(1, 4)},
      {"spectrogram 4x1", {2, 128, 704, 6}, {16, 4, 1, 6}, same(4, 1)},
      {"spectrogram 1x1", {2, 128, 704, 6}, {64, 1, 1, 6}, s1},
      {"residual 3x3", {2, 64, 352, 128}, {32, 3, 3, 128}, same(3, 3)},
      {"residual 1x4", {2, 32, 176, 256}, {64, 1, 4, 256}, same(1, 4)},
      {"residual 4x1", {2, 16, 88, 512}, {128, 4, 1, 512}, same(4, 1)},
      {"narrow", {2, 128, 704, 6}, {4, 3, 3, 6}, same(3, 3)},  // width 0.25
  };
  for (const Layer& layer : layers)
    for (const auto direction :
         {cpu::ConvDirection::Forward, cpu::ConvDirection::BackwardInput, cpu::ConvDirection::BackwardFilter})
      EXPECT_THAT(cpu::conv2d_implementation(layer.x, layer.w, layer.spec, direction),
                  testing::Not(testing::HasSubstr("ref")))
          << layer.name << ", direction " << static_cast<int>(direction);
}

TEST(Conv2d, ExplainsChannelsThatDoNotFit) {
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::conv2d(Tensor::zeros({8, 32, 32, 64}), Tensor::zeros({128, 3, 3, 32}), {}, {});
              }),
              testing::HasSubstr("conv2d: input [8, 32, 32, 64] has 64 channels, filter [128, 3, 3, 32] takes 32"));
}

TEST(Conv2d, ExplainsWhatElseCannotBe) {
  const Tensor x = Tensor::zeros({1, 4, 4, 2}), w = Tensor::zeros({3, 5, 5, 2});
  EXPECT_THAT(error_of<ShapeError>([&] { ops::conv2d(x, w, {}, {}); }), testing::HasSubstr("does not fit into input"));
  EXPECT_THAT(error_of<ShapeError>([&] { ops::conv2d(x, w, Tensor::zeros({2}), {.padding = Padding::all(2)}); }),
              testing::HasSubstr("needs a bias [3], got [2]"));
  EXPECT_THAT(error_of<ShapeError>([&] { ops::conv2d(x, w, {}, {.stride_h = 0}); }), testing::HasSubstr("at least 1"));
  EXPECT_THAT(error_of<ShapeError>([&] { ops::conv2d_backward_filter(x, w.shape(), x, {.padding = Padding::all(2)}); }),
              testing::HasSubstr("give an output [1, 4, 4, 3] but dy is [1, 4, 4, 2]"));
}

}  // namespace
}  // namespace avs
