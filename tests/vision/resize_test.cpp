#include "vision/resize.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tensor/error.h"
#include "tensor/rng.h"

namespace avs {
namespace {

std::vector<uint8_t> random_picture(PictureSize size) {
  Rng rng(3);
  std::vector<uint8_t> pixels(static_cast<size_t>(size.height * size.width * 3));
  for (uint8_t& value : pixels) value = static_cast<uint8_t>(rng.below(256));
  return pixels;
}

// The definition, pixel by pixel, both axes at once.
double reference(const std::vector<uint8_t>& in, PictureSize size, Box box, PictureSize out, int64_t y, int64_t x,
                 int64_t c) {
  const double scale_x = box.width / static_cast<double>(out.width),
               scale_y = box.height / static_cast<double>(out.height);
  const double cx = box.x + (static_cast<double>(x) + 0.5) * scale_x,
               cy = box.y + (static_cast<double>(y) + 0.5) * scale_y;
  const auto triangle = [](double distance, double scale) {
    return std::max(0.0, 1 - std::abs(distance) / std::max(1.0, scale));
  };
  double sum = 0, weights = 0;
  for (int64_t j = 0; j < size.height; ++j)
    for (int64_t i = 0; i < size.width; ++i) {
      if (double(i) < std::floor(box.x) || double(i) >= std::ceil(box.x + box.width)) continue;
      if (double(j) < std::floor(box.y) || double(j) >= std::ceil(box.y + box.height)) continue;
      const double w =
          triangle(static_cast<double>(i) + 0.5 - cx, scale_x) * triangle(static_cast<double>(j) + 0.5 - cy, scale_y);
      sum += w * in[static_cast<size_t>((j * size.width + i) * 3 + c)];
      weights += w;
    }
  return sum / weights;
}

TEST(Resize, IsTheTriangleFilterOfAnyBox) {
  const PictureSize size{11, 17};
  const std::vector<uint8_t> in = random_picture(size);
  for (const PictureSize out : {PictureSize{5, 4}, {11, 17}, {23, 40}, {1, 1}, {3, 30}})
    for (const Box box : {Box{0, 0, 17, 11}, Box{2.3, 1.7, 9.5, 6.25}, Box{16.2, 0, 0.8, 11}}) {
      std::vector<float> got(static_cast<size_t>(out.height * out.width * 3));
      resize(in, size, box, out, got);
      for (int64_t y = 0; y < out.height; ++y)
        for (int64_t x = 0; x < out.width; ++x)
          for (int64_t c = 0; c < 3; ++c)
            ASSERT_NEAR(got[static_cast<size_t>((y * out.width + x) * 3 + c)], reference(in, size, box, out, y, x, c),
                        1e-3)
                << out.height << " x " << out.width << " at " << y << ", " << x << " of box " << box.x << ", " << box.y;
    }
}

TEST(Resize, ToTheSameSizeChangesNothing) {
  const PictureSize size{6, 9};
  const std::vector<uint8_t> in = random_picture(size);
  std::vector<float> out(in.size());
  resize(in, size, {0, 0, 9, 6}, size, out);
  for (size_t i = 0; i < in.size(); ++i) EXPECT_EQ(out[i], in[i]);
}

TEST(Resize, RefusesABoxOutsideThePicture) {
  const PictureSize size{6, 9};
  const std::vector<uint8_t> in = random_picture(size);
  std::vector<float> out(12);
  EXPECT_THROW(resize(in, size, {1, 0, 9, 6}, {2, 2}, out), ShapeError);
  EXPECT_THROW(resize(in, size, {0, 0, 0, 6}, {2, 2}, out), ShapeError);
  EXPECT_THROW(resize(in, size, {0, 0, 9, 6}, {2, 3}, out), ShapeError);
}

}  // namespace
}  // namespace avs
