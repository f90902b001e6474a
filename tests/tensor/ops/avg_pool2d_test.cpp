#include "tensor/ops/avg_pool2d.h"

#include "tests/op_case.h"
#include "tests/reference/avg_pool2d.h"

namespace avs {
namespace {

TEST(AvgPool2d, MatchesTheOracleWithPaddingCountedAndIgnored) {
  const Pool2dSpec same{3, 3, 1, 1, Padding::all(1)}, lopsided{3, 2, 2, 1, {2, 1, 0, 1}};
  for (const Device device : devices())
    for (const PoolPadding counting : {PoolPadding::Ignored, PoolPadding::Counted})
      for (const auto& [x, spec] : {std::pair{Shape{2, 4, 6, 3}, Pool2dSpec{}},
                                    {Shape{1, 5, 7, 3}, Pool2dSpec{}},
                                    {Shape{1, 5, 6, 18}, same},
                                    {Shape{2, 6, 5, 2}, lopsided},
                                    {Shape{1, 5, 6, 8}, same},
                                    {Shape{1, 6, 7, 8}, lopsided},
                                    {Shape{2, 5, 7, 4}, Pool2dSpec{}},
                                    {Shape{1, 9, 8, 4}, Pool2dSpec{4, 5, 2, 1, {1, 3, 2, 0}}}})
        check_op({str("avg_pool2d ", x, " padding ", spec.padding),
                  {x},
                  [=, spec = spec](const auto& v) { return avg_pool2d(v[0], spec, counting); },
                  [=, x = x, spec = spec](const auto& in) {
                    return reference::avg_pool2d(in[0], as_nhwc(x), spec, counting);
                  }},
                 device);
}

TEST(AvgPool2d, FollowsTheCpuInEveryTypeOfAGpu) {
  const Pool2dSpec same{3, 3, 1, 1, Padding::all(1)};
  const auto here = on_cpu_in_f32;
  for (const Device device : devices()) {
    if (!device.is_cuda()) continue;  // the CPU computes in f32 only
    for (const auto& [dtype, tolerance] : {std::pair{DType::F32, 1e-6}, {DType::BF16, 5e-3}, {DType::F16, 1e-3}})
      for (const PoolPadding counting : {PoolPadding::Ignored, PoolPadding::Counted})
        for (const auto& [shape, spec] : {std::pair{Shape{2, 13, 14, 72}, same},
                                          {Shape{2, 9, 10, 7}, same},
                                          {Shape{128, 64, 2, 8}, Pool2dSpec{}}}) {
          SCOPED_TRACE(str(shape, " ", dtype, " on ", device));
          const Tensor x = random_tensor(shape, 1, dtype, device);
          const Tensor y = ops::avg_pool2d(x, spec, counting);
          EXPECT_EQ(y.dtype(), dtype);
          EXPECT_LT(relative_error(to_double(y), to_double(ops::avg_pool2d(here(x), spec, counting))), tolerance);
          const Tensor dy = random_tensor(y.shape(), 2, dtype, device);
          EXPECT_LT(relative_error(to_double(ops::avg_pool2d_backward(shape, dy, spec, counting)),
                                   to_double(ops::avg_pool2d_backward(shape, here(dy), spec, counting))),
                    tolerance);
        }
  }
}

// Keras and torchvision differ here: in a corner a padded 3x3 window contains four positions of nine.
TEST(AvgPool2d, DividesACornerByFourOrByNine) {
  const Tensor x = Tensor::full({1, 4, 4, 1}, 9.0f);
  const Pool2dSpec same{3, 3, 1, 1, Padding::all(1)};
  EXPECT_FLOAT_EQ(ops::avg_pool2d(x, same, PoolPadding::Ignored).to_vector()[0], 9.0f);
  EXPECT_FLOAT_EQ(ops::avg_pool2d(x, same, PoolPadding::Counted).to_vector()[0], 4.0f);
}

TEST(AvgPool2d, ExplainsAGradientThatDoesNotFit) {
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::avg_pool2d_backward({1, 4, 4, 2}, Tensor::zeros({1, 4, 4, 2}), {}, PoolPadding::Ignored);
              }),
              testing::HasSubstr("input [1, 4, 4, 2] gives an output [1, 2, 2, 2] but dy is [1, 4, 4, 2]"));
}

}  // namespace
}  // namespace avs
