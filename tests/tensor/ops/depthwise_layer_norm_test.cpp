#include "tensor/ops/depthwise_layer_norm.h"

#include "tensor/ops/cast.h"
#include "tensor/ops/depthwise_conv2d.h"
#include "tests/op_case.h"
#include "tests/reference/depthwise_layer_norm.h"

namespace avs {
namespace {

constexpr float kEpsilon = 1e-6f;

OpCase fused_case(Shape x, Shape w, Padding padding) {
  const Shape c = {w[2]};
  return {str("depthwise_layer_norm ", x, " * ", w),
          {x, w, c, c, c},
          [padding](const auto& v) { return depthwise_layer_norm(v[0], v[1], v[2], v[3], v[4], padding, kEpsilon); },
          [=](const auto& in) {
            return reference::depthwise_layer_norm(in[0], as_nhwc(x), in[1], w[0], w[1], in[2], in[3], in[4], padding,
                                                   1e-6);
          }};
}

TEST(DepthwiseLayerNorm, MatchesTheOracle) {
  for (const Device device : devices()) {
    check_op(fused_case({1, 4, 5, 6}, {3, 3, 6}, Padding::all(1)), device);
    check_op(fused_case({2, 3, 4, 5}, {7, 7, 5}, Padding::all(3)), device);
    check_op(fused_case({1, 3, 9, 19}, {7, 7, 19}, Padding::all(3)), device);
  }
}

// A shape of ConvNeXt with more pixels than one block of partial sums.
TEST(DepthwiseLayerNorm, KeepsTheNormalisedValuesThatBackwardNeeds) {
  const Shape x = {2, 14, 14, 384}, w = {7, 7, 384}, c = {384};
  const Vector values = reference::random_vector(x.size(), 1), filter = reference::random_vector(w.size(), 2);
  for (const Device device : devices()) {
    const Tensor tx = to_tensor(values, x, device), tw = to_tensor(filter, w, device);
    const Tensor one = Tensor::full(c, 1.0f, device), two = Tensor::full(c, 2.0f, device),
                 zero = Tensor::zeros(c, DType::F32, device);
    const auto result = ops::depthwise_layer_norm(tx, tw, zero, two, one, Padding::all(3), kEpsilon);
    const Vector hat = reference::depthwise_layer_norm(values, as_nhwc(x), filter, 7, 7, Vector(384), Vector(384, 1.0),
                                                       Vector(384), Padding::all(3), 1e-6);
    EXPECT_LT(relative_error(to_double(result.x_hat), hat), 1e-6);
    Vector expected = hat;
    for (double& v : expected) v = 2 * v + 1;
    EXPECT_LT(relative_error(to_double(result.y), expected), 1e-6);
  }
}

struct Block {
  Shape x, w;
};

void matches_the_definition(const Block& block, DType dtype, double tolerance, Device device) {
  SCOPED_TRACE(str(block.x, " * ", block.w, " in ", dtype, " on ", device));
  const Padding padding = Padding::same(block.w[0], block.w[1]);
  const Shape c = {block.w[2]};
  const auto draw = [&](const Shape& shape, uint64_t seed) {
    return to_tensor(reference::random_vector(shape.size(), seed), shape, device);
  };
  const Tensor x = ops::cast(draw(block.x, 1), dtype), w = draw(block.w, 2), conv_bias = draw(c, 3), gain = draw(c, 4),
               bias = draw(c, 5), dy = ops::cast(draw(block.x, 6), dtype);
  const auto result = ops::depthwise_layer_norm(x, w, conv_bias, gain, bias, padding, kEpsilon);
  EXPECT_EQ(result.y.dtype(), dtype);
  const int64_t r = block.w[0], s = block.w[1];
  EXPECT_LT(
      relative_error(to_double(result.y), reference::depthwise_layer_norm(to_double(x), as_nhwc(block.x), to_double(w),
                                                                          r, s, to_double(conv_bias), to_double(gain),
                                                                          to_double(bias), padding, kEpsilon)),
      tolerance);
  const auto expected = reference::depthwise_layer_norm_gradients(to_double(x), as_nhwc(block.x), to_double(w), r, s,
                                                                  to_double(conv_bias), to_double(gain), to_double(dy),
                                                                  padding, kEpsilon);
  EXPECT_LT(relative_error(to_double(result.inverse_std), expected.inverse_std), tolerance);
  const auto g = ops::depthwise_layer_norm_backward(x, w, gain, result.x_hat, result.inverse_std, dy, padding);
  EXPECT_EQ(g.dx.dtype(), dtype);
  EXPECT_LT(relative_error(to_double(g.dx), expected.dx), tolerance);
  EXPECT_LT(relative_error(to_double(g.dw), expected.dw), tolerance);
  EXPECT_LT(relative_error(to_double(g.dgain), expected.dgain), tolerance);
  EXPECT_LT(relative_error(to_double(g.dbias), expected.dbias), tolerance);
  // Over the channels, every row of the convolution's gradient sums to zero, and their sums are small relative to their
  // terms.
  EXPECT_LT(relative_error(to_double(g.dconv_bias), expected.dconv_bias), 10 * tolerance);
}

// Sizes below and above the capacity of one block's registers, with tails in every extent, also in a GPU's 16-bit
// types.
TEST(DepthwiseLayerNorm, MatchesTheDefinitionInEveryTypeAndWidth) {
  const std::vector<Block> blocks = {
      {{2, 9, 8, 70}, {7, 7, 70}},   {{1, 6, 8, 32}, {7, 7, 32}},     {{1, 5, 9, 300}, {7, 7, 300}},
      {{1, 2, 3, 601}, {7, 7, 601}}, {{1, 2, 1, 1100}, {7, 7, 1100}}, {{1, 5, 7, 44}, {5, 3, 44}},
      {{1, 5, 7, 33}, {3, 5, 33}},
  };
  for (const Device device : devices())
    for (const auto& [dtype, tolerance] : {std::pair{DType::F32, 2e-6}, {DType::BF16, 1e-2}, {DType::F16, 2e-3}})
      for (const Block& block : blocks)
        if (dtype == DType::F32 || device.is_cuda()) matches_the_definition(block, dtype, tolerance, device);
}

TEST(DepthwiseLayerNorm, ExplainsShapesThatDoNotFit) {
  const Tensor x = Tensor::zeros({1, 4, 4, 3}), w = Tensor::zeros({3, 3, 3}), three = Tensor::zeros({3});
  EXPECT_THAT(
      error_of<ShapeError>([&] { ops::depthwise_layer_norm(x, w, three, Tensor::zeros({4}), three, {}, kEpsilon); }),
      testing::HasSubstr("gain must be [3], got [4]"));
  EXPECT_THAT(error_of<ShapeError>([&] { ops::depthwise_layer_norm_backward(x, w, three, x, three, x, {}); }),
              testing::HasSubstr("the output is [1, 2, 2, 3] but dy is [1, 4, 4, 3]"));
}

}  // namespace
}  // namespace avs
