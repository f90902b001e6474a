#include "tensor/ops/gelu.h"

#include "tests/op_case.h"
#include "tests/reference/gelu.h"

namespace avs {
namespace {

OpCase gelu_case(Shape shape) {
  return {str("gelu ", shape),
          {shape},
          [](const auto& v) { return gelu(v[0]); },
          [](const auto& x) { return reference::gelu(x[0]); }};
}

TEST(Gelu, MatchesTheOracle) {
  for (const Device device : devices())
    for (const Shape& shape : {Shape{1}, Shape{31}, Shape{2, 3, 3, 5}}) check_op(gelu_case(shape), device);
}

// More elements than one pass of all threads, plus a tail: forward only, because numeric gradients are O(n^2).
TEST(Gelu, CoversEveryElementOfALargeTensor) {
  const int64_t n = 132 * 8 * 256 + 17;
  const Vector x = reference::random_vector(n, 3);
  for (const Device device : devices())
    EXPECT_LT(relative_error(to_double(ops::gelu(to_tensor(x, {n}, device))), reference::gelu(x)), 1e-6) << device;
}

TEST(Gelu, WorksOnShortTypes) {
  for (const auto& [device, dtype] : short_types()) {
    const Tensor x = to_short(reference::random_vector(1003, 3), {1003}, device, dtype);
    const Tensor dy = to_short(reference::random_vector(1003, 4), {1003}, device, dtype);
    EXPECT_LT(relative_error(to_double(ops::gelu(x)), reference::gelu(to_double(x))), 3e-3) << dtype;
    const Tensor dx = ops::gelu_backward(x, dy);
    EXPECT_EQ(dx.dtype(), dtype);
    Vector expected = to_double(dy);
    const Vector at = to_double(x);
    for (size_t i = 0; i < at.size(); ++i)
      expected[i] *= (reference::gelu({at[i] + 1e-4})[0] - reference::gelu({at[i] - 1e-4})[0]) / 2e-4;
    EXPECT_LT(relative_error(to_double(dx), expected), 3e-3) << dtype;
  }
}

TEST(Gelu, IsTheIdentityFarToTheRightAndZeroFarToTheLeft) {
  const Vector y = to_double(ops::gelu(to_tensor({40.0, -40.0, 0.0}, {3})));
  EXPECT_EQ(y, (Vector{40.0, 0.0, 0.0}));
}

TEST(Gelu, RefusesAGradientOfAnotherShape) {
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::gelu_backward(Tensor::zeros({2, 3}), Tensor::zeros({3, 2}));
              }),
              testing::HasSubstr("x is [2, 3] but dy is [3, 2]"));
}

}  // namespace
}  // namespace avs
