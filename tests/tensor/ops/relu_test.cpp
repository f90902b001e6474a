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

// Both only select values that the type can represent: exact in every type, with and without a tail.
TEST(Relu, WorksOnShortTypes) {
  for (const auto& [device, dtype] : short_types())
    for (const int64_t n : {24, 1003}) {
      const Tensor x = to_short(reference::random_vector(n, 3), {n}, device, dtype);
      const Tensor dy = to_short(reference::random_vector(n, 4), {n}, device, dtype);
      const Tensor y = ops::relu(x);
      EXPECT_EQ(y.dtype(), dtype);
      EXPECT_EQ(to_double(y), reference::relu(to_double(x))) << dtype << " on " << device;
      Vector expected = to_double(dy);
      const Vector sign = to_double(x);
      for (size_t i = 0; i < expected.size(); ++i) expected[i] = sign[i] > 0 ? expected[i] : 0;
      EXPECT_EQ(to_double(ops::relu_backward(y, dy)), expected) << dtype << " on " << device;
    }
}

TEST(Relu, HasNoGradientAtZeroAndLetsNaNThrough) {
  for (const Device device : devices()) {
    const Tensor y = Tensor::zeros({3}, DType::F32, device);
    EXPECT_EQ(to_double(ops::relu_backward(y, Tensor::full({3}, 1.0f, device))), (Vector{0, 0, 0}));
    EXPECT_TRUE(std::isnan(to_double(ops::relu(Tensor::full({1}, NAN, device)))[0])) << device;
  }
}

TEST(Relu, RefusesAGradientOfAnotherShape) {
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::relu_backward(Tensor::zeros({2, 3}), Tensor::zeros({3, 2}));
              }),
              testing::HasSubstr("y is [2, 3] but dy is [3, 2]"));
}

}  // namespace
}  // namespace avs
