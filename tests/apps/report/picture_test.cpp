#include "apps/report/picture.h"

#include "tests/audio/support.h"

namespace avs {
namespace {

double lightness(std::array<uint8_t, 3> rgb) { return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]; }

TEST(Picture, ColoursGetLighterWithTheValue) {
  for (int i = 1; i <= 20; ++i)
    EXPECT_GT(lightness(heat_colour(static_cast<float>(i) / 20)),
              lightness(heat_colour(static_cast<float>(i - 1) / 20)));
  EXPECT_EQ(heat_colour(-3), heat_colour(0));
  EXPECT_EQ(heat_colour(7), heat_colour(1));
}

TEST(Picture, HasLowBandsAtTheBottomAndAPanelPerChannel) {
  Tensor x = Tensor::zeros({4, 10, 2});
  for (int64_t t = 0; t < 10; ++t) x.data<float>()[t * 2 + 1] = 1;  // band 0 of channel 1
  const Tensor picture = spectrogram_picture(x, {.pixels_per_band = 3});
  ASSERT_EQ(picture.shape(), (Shape{12 + 4 + 12, 10, 3}));
  const auto colour = [&](int64_t y) {
    const uint8_t* p = picture.data<uint8_t>() + y * 10 * 3;
    return std::array<uint8_t, 3>{p[0], p[1], p[2]};
  };
  EXPECT_EQ(colour(11), heat_colour(0));
  EXPECT_EQ(colour(13), (std::array<uint8_t, 3>{255, 255, 255}));
  EXPECT_EQ(colour(16), heat_colour(0));
  EXPECT_EQ(colour(27), heat_colour(1));
  EXPECT_EQ(spectrogram_picture(x, {.channels = 1, .pixels_per_band = 1}).shape(), (Shape{4, 10, 3}));
}

TEST(Picture, RefusesChannelsThatAreNotThere) {
  EXPECT_THAT(message_of<ShapeError>([] {
                spectrogram_picture(Tensor::zeros({4, 10, 2}), {.channels = 3});
              }),
              testing::HasSubstr("there are 2"));
}

}  // namespace
}  // namespace avs
