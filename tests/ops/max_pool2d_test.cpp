#include "tensor/ops/max_pool2d.h"

#include "tests/op_case.h"
#include "tests/reference/max_pool2d.h"

namespace avs {
namespace {

TEST(MaxPool2d, MatchesTheOracle) {
  const Pool2dSpec three{.window_h = 3, .window_w = 3, .stride_h = 2, .stride_w = 2};
  Pool2dSpec padded = three;
  padded.padding = {1, 0, 1, 1};
  for (const Device device : devices())
    for (const auto& [x, spec] : {std::pair{Shape{2, 4, 6, 3}, Pool2dSpec{}},
                                  {Shape{1, 7, 8, 5}, three},
                                  {Shape{2, 6, 5, 2}, padded},
                                  {Shape{1, 5, 4, 18}, Pool2dSpec{3, 2, 1, 1, {}}}})
      check_op({str("max_pool2d ", x),
                {x},
                [spec = spec](const auto& v) { return max_pool2d(v[0], spec); },
                [x = x, spec = spec](const auto& in) { return reference::max_pool2d(in[0], as_nhwc(x), spec); },
                1e-5,
                shuffled_ramp},
               device);
}

TEST(MaxPool2d, PaddingNeverWins) {
  const Tensor x = Tensor::full({1, 2, 2, 1}, -5.0f);
  EXPECT_EQ(ops::max_pool2d(x, {3, 3, 1, 1, Padding::all(1)}).to_vector(), std::vector<float>(4, -5.0f));
}

TEST(MaxPool2d, AmongEqualValuesTheFirstGetsTheGradient) {
  const Tensor x = Tensor::full({1, 2, 2, 1}, 3.0f);
  EXPECT_EQ(ops::max_pool2d_backward(x, Tensor::full({1, 1, 1, 1}, 7.0f), {}).to_vector(),
            (std::vector<float>{7, 0, 0, 0}));
}

TEST(MaxPool2d, ExplainsWindowsThatDoNotFit) {
  const Tensor x = Tensor::zeros({1, 2, 2, 1});
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::max_pool2d(x, {3, 3, 1, 1, {}});
              }),
              testing::HasSubstr("a window of 3x3 does not fit into input [1, 2, 2, 1]"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::max_pool2d(x, {2, 2, 1, 1, Padding::all(2)});
              }),
              testing::HasSubstr("must be smaller than the window of 2x2"));
  EXPECT_THAT(error_of<ShapeError>([&] { ops::max_pool2d_backward(x, x, {}); }),
              testing::HasSubstr("gives an output [1, 1, 1, 1] but dy is [1, 2, 2, 1]"));
}

}  // namespace
}  // namespace avs
