#include "tensor/ops/mixup.h"

#include <cmath>

#include "tests/op_case.h"
#include "tests/reference/mixup.h"

namespace avs {
namespace {

using Index = std::vector<int32_t>;

MixupPlan plan_of(const Index& first, const Index& second, const Vector& lambda, Device device = kCpu) {
  const auto m = static_cast<int64_t>(lambda.size());
  const auto index = [&](const Index& rows) {
    return Tensor::from({static_cast<int64_t>(rows.size())}, std::span<const int32_t>(rows), device);
  };
  return {index(first), index(second), to_tensor(lambda, {m}, device)};
}

TEST(Mixup, MatchesTheOracle) {
  const Index first = {2, 0, 1, 2, 2}, second = {1, 1, 1, 0, 2};
  const Vector lambda = {0.25, 1.0, 0.5, 0.0, 0.875};
  for (const Device device : devices())
    for (const Shape& shape : {Shape{3, 1}, Shape{3, 5, 7, 2}, Shape{3, 40001}, Shape{3, 5004}}) {
      const Vector x = reference::random_vector(shape.size(), 3);
      const Tensor y = ops::mixup(to_tensor(x, shape, device), plan_of(first, second, lambda, device));
      EXPECT_EQ(y.shape(), shape.with(0, 5));
      EXPECT_LT(relative_error(to_double(y),
                               reference::mixup(x, static_cast<size_t>(shape.size() / 3), first, second, lambda)),
                1e-6)
          << shape << " on " << device;
    }
}

// Rows that are in several mixes, in one twice, and in none.
TEST(Mixup, ScattersGradientsToTheRowsThatWereMixed) {
  const Index first = {2, 0, 1, 2, 2}, second = {1, 1, 1, 0, 2};
  const Vector lambda = {0.25, 1.0, 0.5, 0.0, 0.875};
  for (const Device device : devices())
    for (const int64_t width : {1, 7, 1024}) {
      const Vector dy = reference::random_vector(5 * width, 9);
      const Tensor dx =
          ops::mixup_backward(to_tensor(dy, {5, width}, device), plan_of(first, second, lambda, device), 4);
      EXPECT_EQ(dx.shape(), Shape({4, width}));
      EXPECT_LT(relative_error(to_double(dx),
                               reference::mixup_backward(dy, static_cast<size_t>(width), first, second, lambda, 4)),
                1e-6)
          << width << " on " << device;
    }
}

TEST(Mixup, WithLambdaOneCopiesWhateverTheOtherSampleHolds) {
  for (const Device device : devices()) {
    const Tensor x = to_tensor({1.0, 2.0, NAN, NAN}, {2, 2}, device);
    EXPECT_EQ(to_double(ops::mixup(x, plan_of({0}, {1}, {1.0}, device))), (Vector{1, 2})) << device;
  }
}

TEST(Mixup, APlanIsCopiedInPlace) {
  for (const Device device : devices()) {
    MixupPlan plan = plan_of({0, 1}, {1, 0}, {0.5, 0.5}).to(device);
    const void* const before = plan.lambda.raw();
    plan.copy_from(plan_of({1, 1}, {0, 0}, {0.25, 1.0}));
    EXPECT_EQ(plan.lambda.raw(), before);
    EXPECT_EQ(to_double(ops::mixup(to_tensor({4, 8}, {2, 1}, device), plan)), (Vector{5, 8})) << device;
  }
  EXPECT_FALSE(MixupPlan{}.to(kCpu).defined());
}

TEST(Mixup, RefusesSamplesThatAreNotThere) {
  const Tensor x = Tensor::zeros({3, 2});
  const auto message = [&](const MixupPlan& plan) { return error_of<ShapeError>([&] { ops::mixup(x, plan); }); };
  EXPECT_THAT(message(plan_of({0}, {3}, {0})), testing::HasSubstr("mixup: second[0] is 3, x [3, 2] has 3 samples"));
  EXPECT_THAT(message(plan_of({-1}, {0}, {0})), testing::HasSubstr("first[0] is -1"));
  EXPECT_THAT(message(plan_of({0, 1}, {0}, {0})), testing::HasSubstr("first is [2], second is [1], lambda is [1]"));
  const Tensor lambda = Tensor::zeros({1});
  EXPECT_THAT(message({lambda, lambda, lambda}), testing::HasSubstr("first must be i32 [m], got f32 [1]"));
  EXPECT_THAT(error_of<ShapeError>([&] { ops::mixup_backward(x, plan_of({0}, {0}, {0}), 2); }),
              testing::HasSubstr("mixup_backward: dy is [3, 2] of 2 rows, lambda is [1]"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::mixup_backward(x, plan_of({0, 1, 2}, {0, 0, 0}, {0, 0, 0}), 2);
              }),
              testing::HasSubstr("mixup_backward: first[2] is 2, x [2, 2] has 2 samples"));
  EXPECT_THAT(message({}), testing::HasSubstr("first must be i32 [m], got an undefined tensor"));
}

}  // namespace
}  // namespace avs
