// Still pictures: reading through stb_image, writing PNG and JPEG in memory for reports.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "tensor/tensor.h"
#include "vision/scale.h"

namespace avs {

// Does the file begin like a JPEG, PNG or BMP? (Animated formats, APNG among them, are left to the video decoder.)
bool is_still_image(const std::filesystem::path& path);

struct Image {
  Tensor pixels;            // u8 [height, width, 3], RGB as stored; alpha dropped, 16 bits cut to 8
  Orientation orientation;  // how to lay it for display, see vision/exif.h
};

// DataError: not readable as a picture, above 2^27 pixels, or a file far larger than its pixels; these are judged by
// its header, before the file is read. std::system_error: the machine cannot read it.
Image read_image(const std::filesystem::path& path);

// The whole picture squeezed into a square and turned upright, by the same filter as video frames: u8 [size, size, 3].
Tensor to_square(const Image& image, int64_t size);

// pixels: u8 [h, w, 3] or, grey, [h, w, 1]. ShapeError for anything else.
std::vector<uint8_t> encode_png(const Tensor& pixels);
std::vector<uint8_t> encode_jpeg(const Tensor& pixels, int quality = 85);  // quality 1..100

}  // namespace avs
