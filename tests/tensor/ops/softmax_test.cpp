#include "tensor/ops/softmax.h"

#include <cmath>

#include "tests/op_case.h"
#include "tests/reference/softmax.h"

namespace avs {
namespace {

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
    const Vector close = to_double(ops::softmax(to_tensor({100001.0, 100000.0}, {1, 2}, device)));
    EXPECT_LT(relative_error(close, reference::softmax({1.0, 0.0}, 2)), 1e-6) << device;
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
    }
}

TEST(Softmax, RefusesAScalar) {
  EXPECT_THAT(error_of<ShapeError>([] { ops::softmax(Tensor::zeros({})); }),
              testing::HasSubstr("softmax: x must have at least one axis and one channel, got []"));
}

}  // namespace
}  // namespace avs
