#include "tensor/ops/mixup.h"

#include <cmath>

#include "tensor/ops/affine_channels.h"
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
  const Index first = {2, 0, 1, 2, 2}, second = {1, 1, 1, 0, 2};  // nobody uses row 3
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

// Enlarged and made smaller, whole and from between two pixels, mirrored, mixed and copied; then what preprocessing
// adds.
TEST(Mixup, ResizesBoxesOfPicturesOnTheWay) {
  const int64_t n = 3, h = 11, w = 14, c = 3;
  std::vector<uint8_t> pixels(static_cast<size_t>(n * h * w * c));
  Rng rng(5);
  for (uint8_t& p : pixels) p = static_cast<uint8_t>(rng.below(256));
  const Vector boxes = {0, 0, 14, 11, 0, 2.25, 1.5, 9.75, 4.125, 1, 7, 3.0625, 3.5, 7.9375, 0};
  const Index first = {2, 0, 1, 1}, second = {1, 1, 2, 0};
  const Vector lambda = {0.25, 1.0, 0.5, 0.875}, scale = {0.5, 0.25, 2}, shift = {-1, 2, 0.5};
  for (const auto& [out_h, out_w] : {std::pair<int64_t, int64_t>{11, 14}, {5, 4}, {16, 9}}) {
    Vector resized;
    for (int64_t i = 0; i < n; ++i) {
      const Vector picture(pixels.begin() + i * h * w * c, pixels.begin() + (i + 1) * h * w * c);
      const Vector one = reference::resize_box(picture, h, w, c,
                                               Vector(boxes.begin() + 5 * i, boxes.begin() + 5 * i + 5), out_h, out_w);
      resized.insert(resized.end(), one.begin(), one.end());
    }
    Vector expected = reference::mixup(resized, static_cast<size_t>(out_h * out_w * c), first, second, lambda);
    for (size_t i = 0; i < expected.size(); ++i) expected[i] = scale[i % 3] * expected[i] + shift[i % 3];
    std::vector<std::tuple<Device, DType, double>> outputs;
    for (const Device device : devices()) outputs.emplace_back(device, DType::F32, 1e-6);
    for (const auto& [device, dtype] : short_types()) outputs.emplace_back(device, dtype, 5e-3);
    for (const auto& [device, dtype, tolerance] : outputs) {
      const MixupOutput output{.scale = to_tensor(scale, {3}, device),
                               .shift = to_tensor(shift, {3}, device),
                               .dtype = dtype,
                               .resized = {to_tensor(boxes, {n, 5}, device), out_h, out_w}};
      const Tensor y =
          ops::mixup(Tensor::from({n, h, w, c}, std::span<const uint8_t>(pixels), device), index_tensor(first, device),
                     index_tensor(second, device), to_tensor(lambda, {4}, device), output);
      EXPECT_EQ(y.shape(), (Shape{4, out_h, out_w, c}));
      EXPECT_LT(relative_error(to_double(y), expected), tolerance)
          << out_h << " x " << out_w << ", " << dtype << " on " << device;
    }
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

// On the way out a network's preprocessing and type: 3 and 6 channels wrap around a pack of four, 8 do not.
TEST(Mixup, ScalesChannelsAndRoundsOnTheWay) {
  const Index first = {2, 0, 1, 1}, second = {1, 1, 2, 0};
  const Vector lambda = {0.25, 1.0, 0.5, 0.875};
  std::vector<std::pair<Device, DType>> outputs = short_types();
  for (const Device device : devices()) outputs.emplace_back(device, DType::F32);
  for (const auto& [device, dtype] : outputs)
    for (const Shape& shape :
         {Shape{3, 20, 21, 3}, Shape{3, 7, 10, 6}, Shape{3, 50, 8}, Shape{3, 3000, 5}, Shape{3, 1}}) {
      std::vector<uint8_t> pixels(static_cast<size_t>(shape.size()));
      Rng rng(5);
      for (uint8_t& p : pixels) p = static_cast<uint8_t>(rng.below(256));
      const Vector floats = reference::random_vector(shape.size(), 7);
      const int64_t c = shape[-1];
      const Vector scale = reference::random_vector(c, 8), shift = reference::random_vector(c, 9);
      const MixupOutput output{to_tensor(scale, {c}, device), to_tensor(shift, {c}, device), dtype};
      const Tensor of_pixels = Tensor::from(shape, std::span<const uint8_t>(pixels), device),
                   of_floats = to_tensor(floats, shape, device);
      for (const Tensor& x : {of_pixels, of_floats}) {
        const Vector values = x.dtype() == DType::U8 ? Vector(pixels.begin(), pixels.end()) : floats;
        Vector expected = reference::mixup(values, static_cast<size_t>(shape.size() / 3), first, second, lambda);
        for (size_t i = 0; i < expected.size(); ++i) {
          const size_t channel = i % static_cast<size_t>(c);
          expected[i] = scale[channel] * expected[i] + shift[channel];
        }
        const Tensor y = ops::mixup(x, index_tensor(first, device), index_tensor(second, device),
                                    to_tensor(lambda, {4}, device), output);
        EXPECT_EQ(y.dtype(), dtype);
        EXPECT_EQ(y.shape(), shape.with(0, 4));
        EXPECT_LT(relative_error(to_double(y), expected), dtype == DType::F32 ? 1e-6 : 4e-3)
            << shape << " of " << x.dtype() << " on " << device << " in " << dtype;
      }
    }
}

// A step's numbers do not depend on whether preprocessing is done on the way.
TEST(Mixup, WithPreprocessingGivesTheBitsOfPreprocessingAfterwards) {
  std::vector<uint8_t> pixels(2 * 75 * 75 * 3);
  Rng rng(6);
  for (uint8_t& p : pixels) p = static_cast<uint8_t>(rng.below(256));
  for (const Device device : devices()) {
    const Tensor x = Tensor::from({2, 75, 75, 3}, std::span<const uint8_t>(pixels), device);
    const Tensor first = index_tensor({0, 1, 1}, device), second = index_tensor({1, 0, 1}, device),
                 lambda = to_tensor({0.3, 0.71, 1.0}, {3}, device),
                 scale = to_tensor({0.017, 0.0175, 0.0174}, {3}, device),
                 shift = to_tensor({-2.1, -2.0, -1.8}, {3}, device);
    EXPECT_EQ(ops::mixup(x, first, second, lambda, {scale, shift}).to_vector(),
              ops::affine_channels(ops::mixup(x, first, second, lambda), scale, shift).to_vector())
        << device;
  }
}

TEST(Mixup, RefusesAnOutputThatDoesNotFit) {
  const Tensor x = Tensor::zeros({3, 2}), lambda = Tensor::zeros({1}), two = Tensor::zeros({2}),
               three = Tensor::zeros({3});
  const auto message = [&](const MixupOutput& output) {
    return error_of<Error>([&] { ops::mixup(x, index_tensor({0}), index_tensor({1}), lambda, output); });
  };
  EXPECT_THAT(message({.scale = two}), testing::HasSubstr("scale and shift come together"));
  EXPECT_THAT(message({.scale = two, .shift = three}), testing::HasSubstr("shift"));
  EXPECT_THAT(message({.dtype = DType::BF16}), testing::HasSubstr("mixup: cpu writes no bf16"));
  EXPECT_THAT(message({.dtype = DType::U8}), testing::HasSubstr("writes no u8"));
}

TEST(Mixup, WithLambdaOneCopiesWhateverTheOtherSampleHolds) {
  for (const Device device : devices()) {
    const Tensor x = to_tensor({1.0, 2.0, NAN, NAN}, {2, 2}, device);
    const Tensor y = ops::mixup(x, index_tensor({0}, device), index_tensor({1}, device), to_tensor({1.0}, {1}, device));
    EXPECT_EQ(to_double(y), (Vector{1, 2})) << device;
  }
}

TEST(Mixup, RefusesBoxesThatAreNoneOfThePictures) {
  const Tensor x = Tensor::zeros({1, 4, 6, 3}, DType::U8), lambda = Tensor::full({1}, 1.0f);
  const auto message = [&](const Tensor& pictures, const PictureBoxes& resized) {
    return error_of<ShapeError>(
        [&] { ops::mixup(pictures, index_tensor({0}), index_tensor({0}), lambda, MixupOutput{.resized = resized}); });
  };
  const Tensor whole = to_tensor({0, 0, 6, 4, 0}, {1, 5});
  EXPECT_THAT(message(Tensor::zeros({1, 4, 6, 3}), {whole, 2, 2}), testing::HasSubstr("boxes are of pixels u8"));
  EXPECT_THAT(message(x, {to_tensor({0, 0, 6, 4}, {1, 4}), 2, 2}), testing::HasSubstr("boxes must be [1, 5] on cpu"));
  EXPECT_THAT(message(x, {whole, 0, 2}), testing::HasSubstr("to 0 x 2"));
  EXPECT_THAT(message(x, {to_tensor({3, 0, 4, 4, 0}, {1, 5}), 2, 2}),
              testing::HasSubstr("the box leaves the picture: from (3, 0), 4 x 4, of 6 x 4 pixels"));
  EXPECT_THAT(message(x, {to_tensor({0, 0, NAN, 4, 0}, {1, 5}), 2, 2}), testing::HasSubstr("the box leaves"));
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
