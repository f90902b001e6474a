// A box of a picture onto a picture of any size, as tensor/ops/load_pictures.h defines it: along rows first, then down the
// columns.
#pragma once

#include <cstdint>

#include "tensor/ops/load_pictures.h"

namespace avs::cpu {

struct PictureSize {
  int64_t height, width;
};

void check_box(PictureSize in, const PictureBox& box);  // ShapeError: it is empty or leaves the picture

// in: [in_size.height, in_size.width, c]; out: [out_size.height, out_size.width, c], 0..255, not rounded.
void resize_box(const uint8_t* in, PictureSize in_size, int64_t c, const PictureBox& box, PictureSize out_size,
                float* out);

}  // namespace avs::cpu
