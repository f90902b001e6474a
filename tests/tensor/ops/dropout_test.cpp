#include "tensor/ops/dropout.h"

#include "tensor/parallel.h"
#include "tests/op_case.h"
#include "tests/reference/dropout.h"

namespace avs {
namespace {

Tensor state_of(uint64_t seed, uint64_t step, Device device = kCpu) {
  const std::vector<int32_t> words = {static_cast<int32_t>(seed), static_cast<int32_t>(seed >> 32),
                                      static_cast<int32_t>(step), static_cast<int32_t>(step >> 32)};
  return Tensor::from({4}, std::span<const int32_t>(words), device);
}

constexpr uint64_t kSeed = 0x9876543210fedcba, kStep = 1234;

OpCase dropout_case(Shape shape, float rate) {
  return {str("dropout ", rate, " ", shape),
          {shape},
          [=](const auto& v) { return dropout(v[0], rate, state_of(kSeed, kStep, v[0].value().device()), 3); },
          [=](const auto& x) { return reference::dropout(x[0], double{rate}, kSeed, kStep, 3); }};
}

// The gradient check also proves that backward draws the mask of forward.
TEST(Dropout, MatchesTheOracleForwardAndBackward) {
  for (const Device device : devices())
    for (const Shape& shape : {Shape{1}, Shape{31}, Shape{2, 3, 3, 5}})
      for (const float rate : {0.0f, 0.2f, 0.9f}) check_op(dropout_case(shape, rate), device);
}

TEST(Dropout, CoversEveryElementOfALargeTensor) {
  const int64_t n = 132 * 8 * 256 + 17;
  const Vector x = reference::random_vector(n, 3);
  for (const Device device : devices())
    EXPECT_LT(
        relative_error(to_double(ops::dropout(to_tensor(x, {n}, device), 0.3f, state_of(kSeed, kStep, device), 7)),
                       reference::dropout(x, double{0.3f}, kSeed, kStep, 7)),
        1e-6);
}

// Not only the same mask but the same bits, whether elements are read one by one (a view at any offset) or in vectors.
TEST(Dropout, IsTheSameOnEveryDevice) {
  const Vector x = reference::random_vector(5003, 3);
  for (const int64_t first : {0, 1}) {
    const auto on = [&](Device device) {
      const Tensor part = to_tensor(x, {5003}, device).view(first, {5001});
      return to_double(ops::dropout(part, 0.3f, state_of(kSeed, kStep, device), 7));
    };
    for (const Device device : devices()) EXPECT_EQ(on(device), on(kCpu)) << device;
  }
}

TEST(Dropout, WorksOnShortTypes) {
  for (const auto& [device, dtype] : short_types()) {
    const Tensor x = to_short(reference::random_vector(1003, 3), {1003}, device, dtype);
    const Tensor y = ops::dropout(x, 0.3f, state_of(kSeed, kStep, device), 7);
    EXPECT_EQ(y.dtype(), dtype);
    EXPECT_LT(relative_error(to_double(y), reference::dropout(to_double(x), double{0.3f}, kSeed, kStep, 7)), 3e-3);
  }
}

TEST(Dropout, KeepsTheAskedShareAndTheMean) {
  const int64_t n = 1 << 20;
  const Vector y = to_double(ops::dropout(Tensor::full({n}, 1.0f), 0.2f, state_of(1, 2), 3));
  double kept = 0, sum = 0;
  for (const double v : y) {
    kept += v != 0;
    sum += v;
  }
  EXPECT_NEAR(kept / static_cast<double>(n), 0.8, 4 * 0.4 / 1024);  // four standard deviations
  EXPECT_NEAR(sum / static_cast<double>(n), 1.0, 0.002);
}

TEST(Dropout, DrawsAnotherMaskForAnotherStepStreamOrSeed) {
  const Tensor ones = Tensor::full({4096}, 1.0f);
  const auto mask = [&](uint64_t seed, uint64_t step, uint32_t stream) {
    return to_double(ops::dropout(ones, 0.5f, state_of(seed, step), stream));
  };
  const Vector first = mask(1, 1, 1);
  EXPECT_EQ(mask(1, 1, 1), first);
  for (const Vector& other : {mask(2, 1, 1), mask(1, 2, 1), mask(1, 1, 2), mask(uint64_t{1} << 32, 1, 1)}) {
    double equal = 0;
    for (size_t i = 0; i < first.size(); ++i) equal += first[i] == other[i];
    EXPECT_NEAR(equal / 4096, 0.5, 0.05);
  }
}

TEST(Dropout, DoesNotDependOnTheThreadCount) {
  const Tensor x = to_tensor(reference::random_vector(100003, 3), {100003});
  const int before = thread_count();
  set_thread_count(1);
  const Vector one = to_double(ops::dropout(x, 0.3f, state_of(5, 6), 7));
  set_thread_count(3);
  EXPECT_EQ(to_double(ops::dropout(x, 0.3f, state_of(5, 6), 7)), one);
  set_thread_count(before);
}

TEST(Dropout, RefusesBadRatesAndStates) {
  const Tensor x = Tensor::zeros({4});
  EXPECT_THAT(error_of<UsageError>([&] { ops::dropout(x, 1.0f, state_of(1, 1), 0); }),
              testing::HasSubstr("the rate must lie in [0, 1), got 1"));
  EXPECT_THAT(error_of<ShapeError>([&] { ops::dropout(x, 0.5f, Tensor::zeros({4}), 0); }),
              testing::HasSubstr("state must be i32 [4] (seed and step, low words first), got f32 [4]"));
}

}  // namespace
}  // namespace avs
