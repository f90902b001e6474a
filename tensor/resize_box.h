// A box of a picture onto a picture of any size, on the CPU: what vision/resize.h offers for RGB, and what mixup does
// to the boxes of a batch (tensor/ops/mixup.h). Bilinear with antialiasing, as vision/resize.h defines it; first along
// rows, then down the columns.
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

void check_box(PictureSize in, Box box,
               PictureSize out);  // ShapeError: an empty size, or a box empty or not in the picture

// in: [in_size.height, in_size.width, channels]; out: [out_size.height, out_size.width, channels], values 0..255, not
// rounded. Of a box that check_box() accepts.
void resize_box(const uint8_t* in, PictureSize in_size, int64_t channels, Box box, Mirrored mirrored,
                PictureSize out_size, float* out);

}  // namespace avs
