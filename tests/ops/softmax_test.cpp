#include "tensor/ops/softmax.h"

#include <cmath>

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
  for (const Device device : devices()) {
    const Vector p = to_double(ops::softmax(to_tensor({1e30, 1e30, -1e30, 0.0}, {2, 2}, device)));
    EXPECT_EQ(p, (Vector{0.5, 0.5, 0.0, 1.0})) << device;
    const Vector logs = to_double(ops::log_softmax(to_tensor({1000.0, 0.0}, {1, 2}, device)));
    EXPECT_EQ(logs, (Vector{0.0, -1000.0})) << device;
    const Vector close = to_double(ops::log_softmax(to_tensor({100001.0, 100000.0}, {1, 2}, device)));
    EXPECT_LT(relative_error(close, reference::log_softmax({1.0, 0.0}, 2)), 1e-6) << device;
  }
}

TEST(Softmax, ShowsNaNInTheWholeRowAndNoOther) {
  for (const Device device : devices()) {
    const Vector p = to_double(ops::softmax(to_tensor({1.0, NAN, 2.0, 3.0, 3.0, 3.0}, {2, 3}, device)));
    for (size_t k = 0; k < 3; ++k) EXPECT_TRUE(std::isnan(p[k])) << device;
    EXPECT_NEAR(p[3] + p[4] + p[5], 1.0, 1e-6) << device;
  }
}

TEST(Softmax, WorksOnShortTypes) {
  for (const auto& [device, dtype] : short_types())
    for (const int64_t c : {10, 100}) {
      const auto classes = static_cast<size_t>(c);
      const Tensor x = to_short(reference::random_vector(33 * c, 3), {33, c}, device, dtype);
      EXPECT_LT(relative_error(to_double(ops::softmax(x)), reference::softmax(to_double(x), classes)), 3e-3);
      const Tensor y = ops::log_softmax(x), dy = to_short(reference::random_vector(33 * c, 4), {33, c}, device, dtype);
      EXPECT_EQ(y.dtype(), dtype);
      EXPECT_LT(relative_error(to_double(y), reference::log_softmax(to_double(x), classes)), 3e-3);
      Vector expected = to_double(dy);
      const Vector logs = to_double(y), upstream = expected;
      for (size_t i = 0; i < expected.size(); ++i)
        for (size_t k = 0; k < classes; ++k) expected[i] -= std::exp(logs[i]) * upstream[i / classes * classes + k];
      EXPECT_LT(relative_error(to_double(ops::log_softmax_backward(y, dy)), expected), 3e-3);
    }
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
