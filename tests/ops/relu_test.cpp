#include "tensor/ops/relu.h"

#include <cmath>

#include "tests/op_case.h"
#include "tests/reference/relu.h"

namespace avs {
namespace {

OpCase relu_case(Shape shape) {
  return {.name = str("relu ", shape),
          .inputs = {shape},
          .engine = [](const auto& v) { return relu(v[0]); },
          .oracle = [](const auto& x) { return reference::relu(x[0]); },
          .draw = away_from_zero};
}

TEST(Relu, MatchesTheOracle) {
  for (const Device device : devices())
    for (const Shape& shape : {Shape{1}, Shape{31}, Shape{2, 3, 3, 5}}) check_op(relu_case(shape), device);
}

TEST(Relu, CoversEveryElementOfALargeTensor) {
  const int64_t n = 132 * 8 * 256 + 17;
  const Vector x = reference::random_vector(n, 3);
  for (const Device device : devices())
    EXPECT_EQ(to_double(ops::relu(to_tensor(x, {n}, device))), reference::relu(x)) << device;
}

TEST(Relu, HasNoGradientAtZeroAndLetsNaNThrough) {
  EXPECT_EQ(to_double(ops::relu_backward(Tensor::zeros({3}), Tensor::full({3}, 1.0f))), (Vector{0, 0, 0}));
  EXPECT_TRUE(std::isnan(to_double(ops::relu(Tensor::full({1}, NAN)))[0]));
}

TEST(Relu, RefusesAGradientOfAnotherShape) {
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::relu_backward(Tensor::zeros({2, 3}), Tensor::zeros({3, 2}));
              }),
              testing::HasSubstr("y is [2, 3] but dy is [3, 2]"));
}

}  // namespace
}  // namespace avs
