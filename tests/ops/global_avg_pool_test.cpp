#include "tensor/ops/global_avg_pool.h"

#include "tests/op_case.h"
#include "tests/reference/global_avg_pool.h"

namespace avs {
namespace {

TEST(GlobalAvgPool, MatchesTheOracle) {
  for (const Device device : devices())
    for (const Shape& x : {Shape{1, 1, 1, 1}, Shape{3, 4, 5, 7}, Shape{2, 3, 2, 33}})
      check_op({str("global_avg_pool ", x),
                {x},
                [](const auto& v) { return global_avg_pool(v[0]); },
                [x](const auto& in) { return reference::global_avg_pool(in[0], as_nhwc(x)); }},
               device);
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
