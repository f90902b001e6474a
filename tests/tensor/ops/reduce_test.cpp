#include "tensor/ops/reduce.h"

#include <limits>

#include "tensor/ops/cast.h"
#include "tensor/parallel.h"
#include "tests/op_case.h"
#include "tests/reference/reduce.h"

namespace avs {
namespace {

TEST(Reduce, SumRowsMatchesTheOracleForEveryWidth) {
  for (const Device device : devices())
    for (const auto& [rows, c] : {std::pair{1, 1},
                                  {7, 3},
                                  {1000, 6},
                                  {333, 17},
                                  {65, 64},
                                  {129, 100},
                                  {3, 2048},
                                  {70000, 5},
                                  {3001, 192},
                                  {90, 67},
                                  {50, 260}}) {
      const Vector x = reference::random_vector(int64_t{rows} * c, 5);
      EXPECT_LT(relative_error(to_double(ops::sum_rows(to_tensor(x, {rows, c}, device))),
                               reference::sum_rows(x, static_cast<size_t>(c))),
                1e-5)
          << rows << " rows of " << c << " on " << device;
    }
}

TEST(Reduce, SumsLoseNothingOverAHundredThousandRows) {
  const double expected = 100000.0 * double{0.1f};
  for (const Device device : devices()) {
    const Tensor x = Tensor::full({100000, 16}, 0.1f, device);  // adding one by one in f32 would be off by 1e-3
    for (const double v : to_double(ops::sum_rows(x))) EXPECT_NEAR(v, expected, 1e-5 * expected) << device;
  }
}

TEST(Reduce, SumsShortTypesInF32) {
  for (const Device device : devices())
    for (const DType dtype : {DType::BF16, DType::F16}) {
      if (!device.is_cuda()) continue;  // the CPU computes in f32 only
      for (const auto& [rows, c] : {std::pair{2001, 40}, {777, 7}}) {
        const Tensor x = ops::cast(to_tensor(reference::random_vector(int64_t{rows} * c, 5), {rows, c}, device), dtype);
        const Tensor y = ops::sum_rows(x);
        EXPECT_EQ(y.dtype(), DType::F32);
        EXPECT_LT(relative_error(to_double(y), reference::sum_rows(to_double(x), static_cast<size_t>(c))), 1e-5)
            << rows << " rows of " << c << " " << dtype << " on " << device;
      }
    }
}

TEST(Reduce, SumSquaresMatchesTheOracle) {
  for (const Device device : devices())
    for (const int64_t n : {1, 31, 100003}) {
      const Vector x = reference::random_vector(n, 6);
      const double expected = reference::sum_squares(x);
      EXPECT_NEAR(to_double(ops::sum_squares(to_tensor(x, {n}, device)))[0], expected, 1e-6 * expected) << n;
    }
}

TEST(Reduce, DoesNotDependOnTheThreadCount) {
  const Tensor x = to_tensor(reference::random_vector(50000 * 7, 8), {50000, 7});
  const int before = thread_count();
  set_thread_count(1);
  const Vector rows = to_double(ops::sum_rows(x)), squares = to_double(ops::sum_squares(x));
  set_thread_count(3);
  EXPECT_EQ(to_double(ops::sum_rows(x)), rows);
  EXPECT_EQ(to_double(ops::sum_squares(x)), squares);
  set_thread_count(before);
}

TEST(Reduce, FindsTheFirstNonFiniteElement) {
  for (const Device device : devices()) {
    Tensor x = Tensor::zeros({3, 40000});
    const auto first = [&] { return ops::first_non_finite(x.to(device)); };
    EXPECT_EQ(first(), -1);
    x.data<float>()[90001] = std::numeric_limits<float>::infinity();
    EXPECT_EQ(first(), 90001);
    x.data<float>()[40007] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(first(), 40007);
    x.data<float>()[0] = -std::numeric_limits<float>::infinity();
    EXPECT_EQ(first(), 0);
    EXPECT_EQ(ops::first_non_finite(Tensor::full({5}, std::numeric_limits<float>::max(), device)), -1);
  }
}

TEST(Reduce, RefusesIntegersAndScalars) {
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::sum_rows(Tensor::zeros({2, 3}, DType::I32));
              }),
              testing::HasSubstr("sum_rows: x must be f32, got i32 [2, 3]"));
  EXPECT_THAT(error_of<ShapeError>([] { ops::sum_rows(Tensor::zeros({})); }),
              testing::HasSubstr("at least one axis and one channel, got []"));
}

}  // namespace
}  // namespace avs
