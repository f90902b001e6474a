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
                                  {Shape{1, 5, 4, 18}, Pool2dSpec{3, 2, 1, 1, {}}},
                                  {Shape{2, 6, 7, 8}, three},
                                  {Shape{1, 5, 6, 16}, padded},
                                  {Shape{1, 5, 5, 8}, Pool2dSpec{2, 2, 3, 3, {}}},  // some elements in no window
                                  {Shape{1, 19, 20, 2}, Pool2dSpec{17, 16, 2, 3, {}}}})
      check_op({str("max_pool2d ", x),
                {x},
                [spec = spec](const auto& v) { return max_pool2d(v[0], spec); },
                [x = x, spec = spec](const auto& in) { return reference::max_pool2d(in[0], as_nhwc(x), spec); },
                1e-5,
                shuffled_ramp},
               device);
}

// In short types many values are equal, and the same one of them must be the max.
TEST(MaxPool2d, FollowsTheCpuInEveryTypeOfAGpu) {
  const Pool2dSpec same{3, 3, 1, 1, Padding::all(1)}, three{3, 3, 2, 2, {}};
  const auto here = on_cpu_in_f32;
  for (const Device device : devices()) {
    if (!device.is_cuda()) continue;  // the CPU computes in f32 only
    for (const DType dtype : {DType::F32, DType::BF16, DType::F16})
      for (const auto& [shape, spec] : {std::pair{Shape{2, 13, 14, 72}, three},
                                        {Shape{2, 8, 9, 16}, same},
                                        {Shape{2, 9, 10, 7}, three},
                                        {Shape{128, 64, 3, 8}, three},
                                        {Shape{1, 6, 7, 24}, Pool2dSpec{}}}) {
        SCOPED_TRACE(str(shape, " ", dtype, " on ", device));
        const Tensor x = random_tensor(shape, 1, dtype, device);
        const Tensor y = ops::max_pool2d(x, spec);
        EXPECT_EQ(y.dtype(), dtype);
        EXPECT_EQ(y.to_vector(), ops::max_pool2d(here(x), spec).to_vector());
        const Tensor dy = random_tensor(y.shape(), 2, dtype, device);
        EXPECT_LT(relative_error(to_double(ops::max_pool2d_backward(x, dy, spec)),
                                 to_double(ops::max_pool2d_backward(here(x), here(dy), spec))),
                  dtype == DType::F32 ? 1e-6 : 5e-3);
      }
  }
}

TEST(MaxPool2d, PaddingNeverWins) {
  for (const Device device : devices())
    for (const int64_t c : {1, 4}) {
      const Tensor x = Tensor::full({1, 2, 2, c}, -5.0f, device);
      EXPECT_EQ(ops::max_pool2d(x, {3, 3, 1, 1, Padding::all(1)}).to_vector(),
                std::vector<float>(static_cast<size_t>(4 * c), -5.0f))
          << device;
    }
}

TEST(MaxPool2d, AmongEqualValuesTheFirstGetsTheGradient) {
  for (const Device device : devices()) {
    const Tensor x = Tensor::full({1, 2, 2, 1}, 3.0f, device);
    EXPECT_EQ(ops::max_pool2d_backward(x, Tensor::full({1, 1, 1, 1}, 7.0f, device), {}).to_vector(),
              (std::vector<float>{7, 0, 0, 0}))
        << device;
  }
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
