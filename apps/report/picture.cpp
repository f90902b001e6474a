#include "apps/report/picture.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "tensor/error.h"

namespace avs {
namespace {

constexpr int64_t kGapPixels = 4;  // white gap between panels

uint8_t to_srgb(double linear) {
  const double x = std::clamp(linear, 0.0, 1.0);
  const double encoded = x <= 0.0031308 ? 12.92 * x : 1.055 * std::pow(x, 1 / 2.4) - 0.055;
  return static_cast<uint8_t>(std::lround(255 * encoded));
}

float percentile(std::vector<float> values, double share) {
  const auto at = values.begin() + static_cast<int64_t>(share * static_cast<double>(std::ssize(values) - 1));
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace

std::array<uint8_t, 3> heat_colour(float value) {
  const double v = std::clamp(static_cast<double>(value), 0.0, 1.0);
  const double lightness = 0.13 + 0.84 * v;
  const double hue = (-75 + 180 * v) * std::numbers::pi / 180;          // violet, red, yellow
  const double chroma = 0.045 + 0.15 * std::sin(std::numbers::pi * v);  // small at both ends, which have few colours
  const double a = chroma * std::cos(hue), b = chroma * std::sin(hue);
  const double l = std::pow(lightness + 0.3963377774 * a + 0.2158037573 * b, 3);
  const double m = std::pow(lightness - 0.1055613458 * a - 0.0638541728 * b, 3);
  const double s = std::pow(lightness - 0.0894841775 * a - 1.2914855480 * b, 3);
  return {to_srgb(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
          to_srgb(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
          to_srgb(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

Tensor spectrogram_picture(const Tensor& features, PictureSpec spec) {
  AVS_CHECK(ShapeError, features.shape().rank() == 3 && features.size() > 0,
            "spectrogram_picture: expected [bands, frames, channels], got ", features.shape());
  const int64_t bands = features.shape()[0], frames = features.shape()[1], stride = features.shape()[2];
  const int64_t panels = spec.channels == 0 ? stride : spec.channels;
  AVS_CHECK(ShapeError, panels > 0 && panels <= stride, "spectrogram_picture: ", panels, " channels asked, there are ",
            stride);
  std::array<std::array<uint8_t, 3>, 256> colours;
  for (size_t i = 0; i < colours.size(); ++i) colours[i] = heat_colour(static_cast<float>(i) / 255);

  const int64_t panel_height = bands * spec.pixels_per_band;
  const int64_t height = panels * panel_height + (panels - 1) * kGapPixels;
  Tensor picture = Tensor::empty({height, frames, 3}, DType::U8);
  std::fill_n(picture.data<uint8_t>(), picture.size(), uint8_t{255});
  for (int64_t panel = 0; panel < panels; ++panel) {
    const float* x = features.data<float>() + panel;
    std::vector<float> values;
    for (int64_t i = 0; i < bands * frames; ++i) values.push_back(x[i * stride]);
    const float low = percentile(values, 0.01), high = percentile(values, 0.995);
    const float scale = high > low ? 255 / (high - low) : 0;
    for (int64_t y = 0; y < panel_height; ++y) {
      const int64_t band = bands - 1 - y / spec.pixels_per_band;
      uint8_t* row = picture.data<uint8_t>() + (panel * (panel_height + kGapPixels) + y) * frames * 3;
      for (int64_t t = 0; t < frames; ++t) {
        const float level = std::clamp((values[static_cast<size_t>(band * frames + t)] - low) * scale, 0.0f, 255.0f);
        std::copy_n(colours[static_cast<size_t>(level)].begin(), 3, row + 3 * t);
      }
    }
  }
  return picture;
}

}  // namespace avs
