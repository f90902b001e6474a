// Draws spectrograms: time to the right, low bands at the bottom, one panel per channel.
#pragma once

#include <array>
#include <cstdint>

#include "tensor/tensor.h"

namespace avs {

struct PictureSpec {
  int64_t channels = 0;  // the first ones; 0: all
  int64_t pixels_per_band = 2;
};

// features: f32 [bands, frames, channels], preferably logarithmic. Returns u8 [height, frames, 3], RGB. Each panel's
// colour range is its 1st to 99.5th percentile. ShapeError: fewer channels.
Tensor spectrogram_picture(const Tensor& features, PictureSpec spec = {});

// Colour map from nearly black (0) through violet, red and yellow to nearly white (1). Lightness is linear, so equal
// steps look equal and grey prints keep the order (colours are defined in B. Ottosson's Oklab).
std::array<uint8_t, 3> heat_colour(float value);

}  // namespace avs
