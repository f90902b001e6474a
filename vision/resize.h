// Resizing pictures that are already in memory, for training: any box of the picture onto any size.
//
// Bilinear with antialiasing: a triangle filter whose half width is max(1, input pixels per output pixel), normalised,
// centres at (i + 1/2) * scale; pixels outside the box do not contribute. The same definition as Pillow's BILINEAR with
// a box, and as torch's interpolate(mode="bilinear", antialias=True).
#pragma once

#include <cstdint>
#include <span>

#include "tensor/resize_box.h"

namespace avs {

// in: u8 [in_size.height, in_size.width, 3]; out: f32 [out_size.height, out_size.width, 3], values 0..255, not rounded.
// ShapeError: an empty size, or a box that is empty or leaves the picture.
void resize(std::span<const uint8_t> in, PictureSize in_size, Box box, PictureSize out_size, std::span<float> out);

}  // namespace avs
