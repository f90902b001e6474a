#include "tensor/ops/global_avg_pool.h"

#include "tests/op_case.h"
#include "tests/reference/global_avg_pool.h"

namespace avs {
namespace {

TEST(GlobalAvgPool, MatchesTheOracle) {
  for (const Device device : devices())
    for (const Shape& x : {Shape{1, 1, 1, 1}, Shape{3, 4, 5, 7}, Shape{2, 3, 2, 33}, Shape{2, 5, 4, 8}})
      check_op({str("global_avg_pool ", x),
                {x},
                [](const auto& v) { return global_avg_pool(v[0]); },
                [x](const auto& in) { return reference::global_avg_pool(in[0], as_nhwc(x)); }},
               device);
}

// More channels than one block's tile, with a shorter second tile; more pixels than one iteration of a block.
TEST(GlobalAvgPool, FollowsTheCpuInEveryTypeOfAGpu) {
  const auto here = on_cpu_in_f32;
  for (const Device device : devices()) {
    if (!device.is_cuda()) continue;  // the CPU computes in f32 only
    for (const auto& [dtype, tolerance] : {std::pair{DType::F32, 1e-6}, {DType::BF16, 5e-3}, {DType::F16, 1e-3}})
      for (const Shape& shape : {Shape{2, 9, 11, 264}, Shape{3, 40, 30, 8}, Shape{2, 13, 9, 35}}) {
        SCOPED_TRACE(str(shape, " ", dtype, " on ", device));
        const Tensor x = random_tensor(shape, 1, dtype, device);
        const Tensor y = ops::global_avg_pool(x);
        EXPECT_EQ(y.dtype(), dtype);
        EXPECT_LT(relative_error(to_double(y), to_double(ops::global_avg_pool(here(x)))), tolerance);
        const Tensor dy = random_tensor(y.shape(), 2, dtype, device);
        EXPECT_LT(relative_error(to_double(ops::global_avg_pool_backward(shape, dy)),
                                 to_double(ops::global_avg_pool_backward(shape, here(dy)))),
                  tolerance);
      }
  }
}

TEST(GlobalAvgPool, ExplainsShapesThatDoNotFit) {
  EXPECT_THAT(error_of<ShapeError>([] { ops::global_avg_pool(Tensor::zeros({2, 3})); }), testing::HasSubstr("[2, 3]"));
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::global_avg_pool_backward({2, 4, 4, 3}, Tensor::zeros({2, 4}));
              }),
              testing::HasSubstr("gives an output [2, 3] but dy is [2, 4]"));
}

}  // namespace
}  // namespace avs
