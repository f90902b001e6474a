// Resizes a box of a picture to a picture of any size, on the CPU, for vision/resize.h and the mixup op. Bilinear with
// antialiasing, as defined in vision/resize.h; first along rows, then along columns.
#pragma once

#include <cstdint>

namespace avs {

struct Box {
  double x = 0, y = 0, width = 0, height = 0;  // in input pixels; may begin between two pixels
};
struct PictureSize {
  int64_t height, width;
};
enum class Mirrored : uint8_t { No, LeftRight };

// ShapeError if a size or the box is empty, or the box is not inside the picture.
void check_box(PictureSize in, Box box, PictureSize out);

// in: [in_size.height, in_size.width, channels]; out: [out_size.height, out_size.width, channels], values 0..255, not
// rounded. The box must pass check_box().
void resize_box(const uint8_t* in, PictureSize in_size, int64_t channels, Box box, Mirrored mirrored,
                PictureSize out_size, float* out);

}  // namespace avs
