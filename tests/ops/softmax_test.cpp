#include "tensor/ops/softmax.h"

#include "tests/op_case.h"
#include "tests/reference/softmax.h"

namespace avs {
namespace {

OpCase log_softmax_case(Shape shape) {
  const auto c = static_cast<size_t>(shape[-1]);
  return {str("log_softmax ", shape),
          {shape},
          [](const auto& v) { return log_softmax(v[0]); },
          [c](const auto& x) { return reference::log_softmax(x[0], c); }};
}

TEST(Softmax, LogSoftmaxMatchesTheOracle) {
  for (const Device device : devices())
    for (const Shape& shape : {Shape{1, 2}, Shape{3, 10}, Shape{2, 3, 37}}) check_op(log_softmax_case(shape), device);
}

TEST(Softmax, MatchesTheOracleOnManyRows) {
  for (const Device device : devices())
    for (const int64_t c : {1, 2, 10, 100}) {
      const Vector x = reference::random_vector(1001 * c, 3, 5.0);
      EXPECT_LT(relative_error(to_double(ops::softmax(to_tensor(x, {1001, c}, device))),
                               reference::softmax(x, static_cast<size_t>(c))),
                1e-6)
          << c << " classes on " << device;
    }
}

TEST(Softmax, SurvivesHugeAndEqualLogits) {
  const Vector p = to_double(ops::softmax(to_tensor({1e30, 1e30, -1e30, 0.0}, {2, 2})));
  EXPECT_EQ(p, (Vector{0.5, 0.5, 0.0, 1.0}));
  const Vector logs = to_double(ops::log_softmax(to_tensor({1000.0, 0.0}, {1, 2})));
  EXPECT_EQ(logs, (Vector{0.0, -1000.0}));
  const Vector close = to_double(ops::log_softmax(to_tensor({100001.0, 100000.0}, {1, 2})));
  EXPECT_LT(relative_error(close, reference::log_softmax({1.0, 0.0}, 2)), 1e-6);
}

TEST(Softmax, RefusesAScalarAndAnotherShape) {
  EXPECT_THAT(error_of<ShapeError>([] { ops::softmax(Tensor::zeros({})); }),
              testing::HasSubstr("softmax: x must have at least one axis and one channel, got []"));
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::log_softmax_backward(Tensor::zeros({2, 3}), Tensor::zeros({3, 2}));
              }),
              testing::HasSubstr("y is [2, 3] but dy is [3, 2]"));
}

}  // namespace
}  // namespace avs
