#include "tensor/ops/affine_channels.h"

#include "tests/op_case.h"
#include "tests/reference/affine_channels.h"

namespace avs {
namespace {

OpCase affine_case(Shape shape) {
  const Vector scale = reference::random_vector(shape[-1], 21), shift = reference::random_vector(shape[-1], 22);
  const Shape channels{shape[-1]};
  return {str("affine_channels ", shape),
          {shape},
          [=](const auto& v) {
            const Device device = v[0].value().device();
            return affine_channels(v[0], to_tensor(scale, channels, device), to_tensor(shift, channels, device));
          },
          [=](const auto& x) { return reference::affine_channels(x[0], scale, shift); }};
}

TEST(AffineChannels, MatchesTheOracle) {
  for (const Device device : devices())
    for (const Shape& shape : {Shape{1, 1}, Shape{2, 5, 7, 3}, Shape{4, 6}, Shape{3, 70}})
      check_op(affine_case(shape), device);
}

TEST(AffineChannels, TurnsPixelsIntoMinusOneToOne) {
  const std::vector<uint8_t> pixels = {0, 127, 255, 255, 0, 51};
  for (const Device device : devices()) {
    const Tensor x = Tensor::from({2, 3}, std::span(pixels), device);
    const Tensor y =
        ops::affine_channels(x, Tensor::full({3}, 1.0f / 127.5f, device), Tensor::full({3}, -1.0f, device));
    EXPECT_LT(relative_error(to_double(y), {-1, 127 / 127.5 - 1, 1, 1, -1, 51 / 127.5 - 1}), 1e-6) << device;
  }
}

TEST(AffineChannels, CoversEveryPixelOfALargeImage) {
  std::vector<uint8_t> pixels(300 * 301 * 3);
  Rng rng(3);
  for (uint8_t& p : pixels) p = static_cast<uint8_t>(rng.below(256));
  const Vector scale = {0.5, 0.25, 2.0}, shift = {1.0, -2.0, 3.0};
  for (const Device device : devices())
    EXPECT_EQ(to_double(ops::affine_channels(Tensor::from({300, 301, 3}, std::span<const uint8_t>(pixels), device),
                                             to_tensor(scale, {3}, device), to_tensor(shift, {3}, device))),
              reference::affine_channels({pixels.begin(), pixels.end()}, scale, shift));
}

TEST(AffineChannels, RefusesWhatDoesNotFit) {
  EXPECT_THAT(error_of<ShapeError>([] {
                ops::affine_channels(Tensor::zeros({4, 3}), Tensor::zeros({1}), Tensor::zeros({3}));
              }),
              testing::HasSubstr("affine_channels: x [4, 3] has 3 channels, so scale must be [3], got [1]"));
  EXPECT_THAT(error_of<ShapeError>(
                  [] { ops::affine_channels(Tensor::zeros({3}, DType::I32), Tensor::zeros({3}), Tensor::zeros({3})); }),
              testing::HasSubstr("x must be f32 or u8"));
}

}  // namespace
}  // namespace avs
