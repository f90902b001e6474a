// Spectrograms as pictures for people: time to the right, low bands at the bottom, one panel per channel.
#pragma once

#include <array>
#include <cstdint>

#include "tensor/tensor.h"

namespace avs {

struct PictureSpec {
  int64_t first_channel = 0;
  int64_t channels = 0;  // 0: all from the first on
  int64_t pixels_per_band = 2;
};

// features: f32 [bands, frames, channels], best after the log. Result: u8 [height, frames, 3], RGB (vision's encode_png
// makes a file of it). Each panel spans its own 1st to 99.5th percentile of values. ShapeError: no such channels.
Tensor spectrogram_picture(const Tensor& features, PictureSpec spec = {});

// 0 is nearly black, 1 nearly white; lightness rises evenly between, through violet, red and yellow, so that equal
// steps of the value look equally far apart and a grey print keeps the order. (Colours are laid out in B. Ottosson's
// Oklab.)
std::array<uint8_t, 3> heat_colour(float value);

}  // namespace avs
