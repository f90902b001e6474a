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
  EXPECT_THAT(message({}), testing::HasSubstr("first must be i32 [m], got an undefined tensor"));
}

}  // namespace
}  // namespace avs
