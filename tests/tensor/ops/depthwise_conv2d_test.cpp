#include "tensor/ops/depthwise_conv2d.h"

#include "tensor/ops/cast.h"
#include "tests/op_case.h"
#include "tests/reference/depthwise_conv2d.h"

namespace avs {
namespace {

struct DepthwiseLayer {
  Shape x, w;
  Padding padding;
};
const std::vector<DepthwiseLayer> kLayers = {
    {{2, 5, 6, 3}, {3, 3, 3}, Padding::all(1)},
    {{1, 8, 9, 5}, {7, 7, 5}, Padding::all(3)},
    {{1, 3, 2, 4}, {7, 7, 4}, Padding::all(3)},     // smaller than its filter
    {{2, 7, 8, 2}, {7, 7, 2}, {}},                  // valid: no padding
    {{1, 5, 17, 18}, {7, 7, 18}, Padding::all(3)},  // a full vector of channels and a tail
    {{1, 6, 5, 3}, {4, 1, 3}, Padding::same(4, 1)},
    {{1, 4, 7, 3}, {1, 4, 3}, Padding::same(1, 4)},
    {{1, 4, 4, 2}, {3, 3, 2}, {2, 3, 3, 0}},  // padding wider than the filter's reach
};

TEST(DepthwiseConv2d, MatchesTheOracle) {
  for (const Device device : devices())
    for (const auto& [x, w, padding] : kLayers) {
      const auto oracle = [x = x, w = w, padding = padding](const std::vector<Vector>& in) {
        return reference::depthwise_conv2d(in[0], as_nhwc(x), in[1], w[0], w[1], in.size() > 2 ? in[2] : Vector(),
                                           padding);
      };
      check_op({str("depthwise_conv2d ", x, " * ", w, " pad ", padding),
                {x, w},
                [padding = padding](const auto& v) { return depthwise_conv2d(v[0], v[1], Variable(), padding); },
                oracle},
               device);
      check_op({str("depthwise_conv2d ", x, " * ", w, " pad ", padding, " with bias"),
                {x, w, {w[2]}},
                [padding = padding](const auto& v) { return depthwise_conv2d(v[0], v[1], v[2], padding); },
                oracle},
               device);
    }
}

// All three directions at sizes of several blocks with tails in every extent, also in a GPU's 16-bit types.
TEST(DepthwiseConv2d, MatchesTheDefinitionInEveryTypeAndDirection) {
  const std::vector<DepthwiseLayer> layers = {
      {{2, 9, 15, 70}, {7, 7, 70}, Padding::all(3)},
      {{2, 37, 16, 33}, {7, 7, 33}, Padding::all(3)},  // several parts of the filter's gradient
      {{1, 13, 20, 32}, {7, 7, 32}, {}},
      {{1, 6, 9, 35}, {7, 7, 35}, {4, 1, 0, 8}},  // output columns that see only padding
      {{2, 20, 10, 40}, {5, 4, 40}, Padding::same(5, 4)},
      {{2, 14, 14, 192}, {7, 7, 192}, Padding::all(3)},  // ConvNeXt's channels
  };
  for (const Device device : devices())
    for (const auto& [dtype, tolerance] : {std::pair{DType::F32, 1e-6}, {DType::BF16, 5e-3}, {DType::F16, 1e-3}})
      for (const auto& [xs, ws, padding] : layers) {
        if (dtype != DType::F32 && !device.is_cuda()) continue;  // the CPU computes in f32 only
        SCOPED_TRACE(str(xs, " * ", ws, " pad ", padding, " in ", dtype, " on ", device));
        const Shape ys = ops::depthwise_conv2d_shape(xs, ws, padding);
        const auto draw = [&](const Shape& shape, uint64_t seed) {
          return to_tensor(reference::random_vector(shape.size(), seed), shape, device);
        };
        const Tensor x = ops::cast(draw(xs, 1), dtype), w = draw(ws, 2), bias = draw({ws[2]}, 3),
                     dy = ops::cast(draw(ys, 4), dtype);
        const Tensor y = ops::depthwise_conv2d(x, w, bias, padding);
        EXPECT_EQ(y.dtype(), dtype);
        EXPECT_LT(relative_error(to_double(y), reference::depthwise_conv2d(to_double(x), as_nhwc(xs), to_double(w),
                                                                           ws[0], ws[1], to_double(bias), padding)),
                  tolerance);
        const auto expected = reference::depthwise_conv2d_gradients(to_double(x), as_nhwc(xs), to_double(w), ws[0],
                                                                    ws[1], to_double(dy), padding);
        const Tensor dx = ops::depthwise_conv2d_backward_input(xs, w, dy, padding);
        EXPECT_EQ(dx.dtype(), dtype);
        EXPECT_LT(relative_error(to_double(dx), expected.dx), tolerance);
        // These sums are f32 for every input type.
        EXPECT_LT(relative_error(to_double(ops::depthwise_conv2d_backward_filter(x, ws, dy, padding)), expected.dw),
                  1e-6);
      }
}

TEST(DepthwiseConv2d, ExplainsShapesThatDoNotFit) {
  const Tensor x = Tensor::zeros({1, 4, 4, 3});
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::depthwise_conv2d(x, Tensor::zeros({3, 3, 2}), {}, {});
              }),
              testing::HasSubstr("input [1, 4, 4, 3] has 3 channels, filter [3, 3, 2] has 2"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::depthwise_conv2d(x, Tensor::zeros({7, 7, 3}), {}, {});
              }),
              testing::HasSubstr("does not fit into input [1, 4, 4, 3]"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::depthwise_conv2d_backward_filter(x, {3, 3, 3}, x, {});
              }),
              testing::HasSubstr("give an output [1, 2, 2, 3] but dy is [1, 4, 4, 3]"));
}

}  // namespace
}  // namespace avs
