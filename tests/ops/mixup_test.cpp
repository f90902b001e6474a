#include "tensor/ops/mixup.h"

#include <cmath>

#include "tests/op_case.h"
#include "tests/reference/mixup.h"

namespace avs {
namespace {

using Index = std::vector<int32_t>;

Tensor index_tensor(const Index& index, Device device = kCpu) {
  return Tensor::from({static_cast<int64_t>(index.size())}, std::span<const int32_t>(index), device);
}

TEST(Mixup, MatchesTheOracle) {
  const Index first = {2, 0, 1, 2, 2}, second = {1, 1, 1, 0, 2};
  const Vector lambda = {0.25, 1.0, 0.5, 0.0, 0.875};
  for (const Device device : devices())
    for (const Shape& shape : {Shape{3, 1}, Shape{3, 5, 7, 2}, Shape{3, 40001}, Shape{3, 5004}}) {
      const Vector x = reference::random_vector(shape.size(), 3);
      const Tensor y = ops::mixup(to_tensor(x, shape, device), index_tensor(first, device),
                                  index_tensor(second, device), to_tensor(lambda, {5}, device));
      EXPECT_EQ(y.shape(), shape.with(0, 5));
      EXPECT_LT(relative_error(to_double(y),
                               reference::mixup(x, static_cast<size_t>(shape.size() / 3), first, second, lambda)),
                1e-6)
          << shape << " on " << device;
    }
}

TEST(Mixup, ItsGradientGoesToBothSamplesAndAddsUp) {
  const Index first = {2, 0, 1, 2, 2}, second = {1, 1, 1, 0, 2};  // row 3 is nobody's
  const Vector lambda = {0.25, 1.0, 0.5, 0.0, 0.875};
  for (const Device device : devices())
    for (const int64_t width : {1, 7, 1024}) {
      const Vector dy = reference::random_vector(5 * width, 9);
      const Tensor dx = ops::mixup_backward(to_tensor(dy, {5, width}, device), index_tensor(first, device),
                                            index_tensor(second, device), to_tensor(lambda, {5}, device), 4);
      EXPECT_EQ(dx.shape(), Shape({4, width}));
      EXPECT_LT(relative_error(to_double(dx),
                               reference::mixup_backward(dy, static_cast<size_t>(width), first, second, lambda, 4)),
                1e-6)
          << width << " on " << device;
    }
}

TEST(Mixup, MixesPixels) {
  const std::vector<uint8_t> pixels = {0, 255, 100, 50};
  for (const Device device : devices()) {
    const Tensor y = ops::mixup(Tensor::from({2, 2}, std::span(pixels), device), index_tensor({0, 1}, device),
                                index_tensor({1, 1}, device), to_tensor({0.5, 1.0}, {2}, device));
    EXPECT_EQ(y.dtype(), DType::F32);
    EXPECT_EQ(to_double(y), (Vector{50, 152.5, 100, 50})) << device;
  }
}

TEST(Mixup, MixesEveryPixelOfLargeFrames) {
  std::vector<uint8_t> pixels(3 * 9000);
  Rng rng(3);
  for (uint8_t& p : pixels) p = static_cast<uint8_t>(rng.below(256));
  const Index first = {2, 0, 1}, second = {1, 1, 2};
  const Vector lambda = {0.25, 0.75, 1.0}, x(pixels.begin(), pixels.end());
  for (const Device device : devices())
    EXPECT_EQ(to_double(ops::mixup(Tensor::from({3, 9000}, std::span<const uint8_t>(pixels), device),
                                   index_tensor(first, device), index_tensor(second, device),
                                   to_tensor(lambda, {3}, device))),
              reference::mixup(x, 9000, first, second, lambda))
        << device;
}

TEST(Mixup, WithLambdaOneCopiesWhateverTheOtherSampleHolds) {
  for (const Device device : devices()) {
    const Tensor x = to_tensor({1.0, 2.0, NAN, NAN}, {2, 2}, device);
    const Tensor y = ops::mixup(x, index_tensor({0}, device), index_tensor({1}, device), to_tensor({1.0}, {1}, device));
    EXPECT_EQ(to_double(y), (Vector{1, 2})) << device;
  }
}

TEST(Mixup, RefusesSamplesThatAreNotThere) {
  const Tensor x = Tensor::zeros({3, 2}), lambda = Tensor::zeros({1});
  EXPECT_THAT(error_of<ShapeError>([&] { ops::mixup(x, index_tensor({0}), index_tensor({3}), lambda); }),
              testing::HasSubstr("mixup: second[0] is 3, x [3, 2] has 3 samples"));
  EXPECT_THAT(error_of<ShapeError>([&] { ops::mixup(x, index_tensor({-1}), index_tensor({0}), lambda); }),
              testing::HasSubstr("first[0] is -1"));
  EXPECT_THAT(error_of<ShapeError>([&] {
                ops::mixup(x, index_tensor({0, 1}), index_tensor({0}), lambda);
              }),
              testing::HasSubstr("first is [2], second is [1], lambda is [1]"));
  EXPECT_THAT(error_of<ShapeError>([&] { ops::mixup_backward(x, index_tensor({0}), index_tensor({0}), lambda, 2); }),
              testing::HasSubstr("mixup_backward: dy is [3, 2] of 2 samples, lambda is [1]"));
  EXPECT_THAT(error_of<ShapeError>([&] { ops::mixup(x, lambda, index_tensor({0}), lambda); }),
              testing::HasSubstr("first must be i32 [m], got f32 [1]"));
}

}  // namespace
}  // namespace avs
