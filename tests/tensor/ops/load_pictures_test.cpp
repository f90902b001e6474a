#include "tensor/ops/load_pictures.h"

#include <cmath>

#include "tests/op_case.h"
#include "tests/reference/load_pictures.h"

namespace avs {
namespace {

using Index = std::vector<int32_t>;

MixupPlan mixing(const Index& first, const Index& second, const Vector& lambda, Device device) {
  const auto m = static_cast<int64_t>(lambda.size());
  return {Tensor::from({m}, std::span<const int32_t>(first), device),
          Tensor::from({m}, std::span<const int32_t>(second), device), to_tensor(lambda, {m}, device)};
}

std::vector<uint8_t> random_pixels(int64_t count) {
  std::vector<uint8_t> pixels(static_cast<size_t>(count));
  Rng rng(5);
  for (uint8_t& p : pixels) p = static_cast<uint8_t>(rng.below(256));
  return pixels;
}

Vector scaled(Vector y, const Vector& scale, const Vector& shift) {
  for (size_t i = 0; i < y.size(); ++i) y[i] = scale[i % scale.size()] * y[i] + shift[i % scale.size()];
  return y;
}

struct Output {
  Device device;
  DType dtype;
  double tolerance;
};
std::vector<Output> outputs() {
  std::vector<Output> all;
  for (const Device device : devices()) all.push_back({device, DType::F32, 1e-6});
  for (const auto& [device, dtype] : short_types()) all.push_back({device, dtype, 5e-3});
  return all;
}

const Index kFirst = {2, 0, 1, 1}, kSecond = {1, 1, 2, 0};
const Vector kLambda = {0.25, 1.0, 0.5, 0.875};

// 3 and 6 channels wrap around a pack of four, 8 do not.
TEST(LoadPictures, MixesScalesAndRounds) {
  for (const auto& [device, dtype, tolerance] : outputs())
    for (const Shape& shape : {Shape{3, 20, 21, 3}, Shape{3, 7, 10, 6}, Shape{3, 1, 50, 8}, Shape{3, 3000, 1, 5}}) {
      const std::vector<uint8_t> pixels = random_pixels(shape.size());
      const Vector floats = reference::random_vector(shape.size(), 7);
      const int64_t c = shape[-1];
      const Vector scale = reference::random_vector(c, 8), shift = reference::random_vector(c, 9);
      const Tensor bytes = Tensor::from(shape, std::span<const uint8_t>(pixels), device);
      for (const Tensor& x : {bytes, to_tensor(floats, shape, device)}) {
        const Vector values = x.dtype() == DType::U8 ? Vector(pixels.begin(), pixels.end()) : floats;
        const Vector mixed = reference::mixup(values, static_cast<size_t>(shape.size() / 3), kFirst, kSecond, kLambda);
        const Tensor y = ops::load_pictures(x, {}, mixing(kFirst, kSecond, kLambda, device),
                                            {to_tensor(scale, {c}, device), to_tensor(shift, {c}, device), dtype});
        EXPECT_EQ(y.dtype(), dtype);
        EXPECT_EQ(y.shape(), shape.with(0, 4));
        EXPECT_LT(relative_error(to_double(y), scaled(mixed, scale, shift)), tolerance)
            << shape << " of " << x.dtype() << " on " << device << " in " << dtype;
      }
    }
}

TEST(LoadPictures, WithoutAPlanKeepsTheRows) {
  const std::vector<uint8_t> pixels = random_pixels(2 * 3 * 5 * 3);
  const Vector values(pixels.begin(), pixels.end());
  for (const Device device : devices()) {
    const Tensor x = Tensor::from({2, 3, 5, 3}, std::span<const uint8_t>(pixels), device);
    EXPECT_EQ(to_double(ops::load_pictures(x, {}, {}, {})), values) << device;
    const PictureBoxes whole{to_tensor({{0, 0, 5, 3}, {0, 0, 5, 3}}).to(device), 3, 5};
    EXPECT_EQ(to_double(ops::load_pictures(x, whole, {}, {})), values) << device;
  }
}

// Enlarged and made smaller, whole and from between two pixels, mirrored, mixed and copied.
TEST(LoadPictures, ResizesBoxes) {
  const int64_t n = 3, h = 11, w = 14, c = 3;
  const std::vector<uint8_t> pixels = random_pixels(n * h * w * c);
  const Vector boxes = {0, 0, 14, 11, 0, 2.25, 1.5, 9.75, 4.125, 1, 13.5, 3.0625, 0.5, 7.9375, 0};
  const Vector scale = {0.5, 0.25, 2}, shift = {-1, 2, 0.5};
  for (const auto& [out_h, out_w] : {std::pair<int64_t, int64_t>{11, 14}, {5, 4}, {16, 9}, {1, 1}}) {
    Vector resized;
    for (int64_t i = 0; i < n; ++i) {
      const Vector picture(pixels.begin() + i * h * w * c, pixels.begin() + (i + 1) * h * w * c);
      const Vector box(boxes.begin() + 5 * i, boxes.begin() + 5 * i + 5);
      const Vector one = reference::resize_box(picture, h, w, c, box, out_h, out_w);
      resized.insert(resized.end(), one.begin(), one.end());
    }
    const Vector mixed = reference::mixup(resized, static_cast<size_t>(out_h * out_w * c), kFirst, kSecond, kLambda);
    for (const auto& [device, dtype, tolerance] : outputs()) {
      const Tensor y =
          ops::load_pictures(Tensor::from({n, h, w, c}, std::span<const uint8_t>(pixels), device),
                             {to_tensor(boxes, {n, 5}, device), out_h, out_w}, mixing(kFirst, kSecond, kLambda, device),
                             {to_tensor(scale, {3}, device), to_tensor(shift, {3}, device), dtype});
      EXPECT_EQ(y.shape(), (Shape{4, out_h, out_w, c}));
      EXPECT_LT(relative_error(to_double(y), scaled(mixed, scale, shift)), tolerance)
          << out_h << " x " << out_w << ", " << dtype << " on " << device;
    }
  }
}

TEST(LoadPictures, RefusesAnOutputThatDoesNotFit) {
  const Tensor x = Tensor::zeros({3, 1, 1, 2}), two = Tensor::zeros({2}), three = Tensor::zeros({3});
  const auto message = [&](const PixelScale& scale) {
    return error_of<Error>([&] { ops::load_pictures(x, {}, {}, scale); });
  };
  EXPECT_THAT(message({two, {}}), testing::HasSubstr("scale and shift come together"));
  EXPECT_THAT(message({two, three}), testing::HasSubstr("shift"));
  EXPECT_THAT(message({{}, {}, DType::BF16}), testing::HasSubstr("load_pictures: cpu writes no bf16"));
  EXPECT_THAT(message({{}, {}, DType::U8}), testing::HasSubstr("writes no u8"));
  EXPECT_THAT(error_of<ShapeError>([&] { ops::load_pictures(two, {}, {}, {}); }),
              testing::HasSubstr("x must be u8 or f32 pixels [n, h, w, c], got f32 [2]"));
}

TEST(LoadPictures, RefusesBoxesThatAreNoneOfThePictures) {
  const Tensor x = Tensor::zeros({1, 4, 6, 3}, DType::U8);
  const auto message = [&](const Tensor& pictures, const PictureBoxes& boxes) {
    return error_of<ShapeError>([&] { ops::load_pictures(pictures, boxes, {}, {}); });
  };
  const Tensor whole = to_tensor({{0, 0, 6, 4}});
  EXPECT_THAT(message(Tensor::zeros({1, 4, 6, 3}), {whole, 2, 2}), testing::HasSubstr("boxes are of pixels u8"));
  EXPECT_THAT(message(x, {to_tensor({0, 0, 6, 4}, {1, 4}), 2, 2}), testing::HasSubstr("boxes must be [1, 5] on cpu"));
  EXPECT_THAT(message(x, {whole, 0, 2}), testing::HasSubstr("to 0 x 2"));
  EXPECT_THAT(message(x, {to_tensor({{3, 0, 4, 4}}), 2, 2}),
              testing::HasSubstr("the box leaves the picture: from (3, 0), 4 x 4, of 6 x 4 pixels"));
  EXPECT_THAT(message(x, {to_tensor({{0, 0, NAN, 4}}), 2, 2}), testing::HasSubstr("the box leaves"));
}

}  // namespace
}  // namespace avs
