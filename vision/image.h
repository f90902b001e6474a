// Still pictures: reads them with stb_image; writes PNG and JPEG to memory for reports.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "tensor/tensor.h"
#include "vision/scale.h"

namespace avs {

// Does the file begin like a JPEG, PNG or BMP? Animated formats (APNG) go to the video decoder.
bool is_still_image(const std::filesystem::path& path);

struct Image {
  Tensor pixels;            // u8 [height, width, 3], RGB as stored; alpha dropped, 16 bits cut to 8
  Orientation orientation;  // for display, see vision/exif.h
};

// DataError: not a readable picture, above 2^27 pixels, or a file far larger than its pixels. The header is checked
// before the pixels are read. SystemError: an I/O error.
Image read_image(const std::filesystem::path& path);

// Scales the whole picture to a square with the filter of video frames and rotates it upright: u8 [size, size, 3].
Tensor to_square(const Image& image, int64_t size);

// pixels: u8 [h, w, 3], or [h, w, 1] for grey; ShapeError otherwise.
std::vector<uint8_t> encode_png(const Tensor& pixels);
std::vector<uint8_t> encode_jpeg(const Tensor& pixels, int quality = 85);  // quality 1..100

}  // namespace avs
